"""The accuracy of published predictions."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, delete, insert

from riskee.market.sessions import Session
from riskee.messaging.messages import Flag
from riskee.storage.database import make_engine
from riskee.storage.outcomes import live_accuracy
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import market_data, predictions

pytestmark = pytest.mark.integration
FIRST = date(2012, 9, 3)
# The second session halves the price by a split: in adjusted prices it rises.
CLOSES = ((100.0, 0.5), (51.0, 1.0), (50.0, 1.0), (55.0, 1.0), (60.0, 1.0))


def at(session: int) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=session)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = make_engine(SecretStr(database_url), 1)
    with engine.begin() as opened:
        write_sessions(opened, (Session(at(day).date(), at(day), at(day)) for day in range(len(CLOSES))))
        for session, (close, factor) in enumerate(CLOSES):
            values = dict.fromkeys(("open", "high", "low", "close"), close) | {
                "volume": 1.0,
                "dividend": 0.0,
                "split": 1.0,
            }
            opened.execute(
                insert(market_data).values(
                    ticker="AAPL", resolution="1d", timestamp=at(session), adjustment_factor=factor, source="test",
                    known_at=at(session), **values,
                )
            )  # fmt: skip
        yield opened
    engine.dispose()


def predict(
    connection: Connection, session: int, p_up: float, feed: str = "replay/1", flags: Sequence[Flag] = ()
) -> None:
    price = CLOSES[session][0]
    prices = dict.fromkeys(("price", "predicted_price", "price_p10", "price_p50", "price_p90"), price)
    connection.execute(
        insert(predictions).values(
            prediction_id=uuid.uuid4(), quote_id=uuid.uuid4(), prediction_time=at(session), ticker="AAPL", feed=feed,
            data_time=at(session), as_of=at(session), session_date=at(session).date(), horizon="1d",
            model_type="normal", model_version="m1", feature_set="f", expected_return=0.0, p_up=p_up,
            confidence=max(p_up, 1 - p_up), flags=list(flags), **prices,
        )
    )  # fmt: skip


def test_nothing_is_known_of_no_predictions(connection: Connection) -> None:
    assert live_accuracy(connection) == []


def test_counts_hits_on_adjusted_closes(connection: Connection) -> None:
    for session, p_up in enumerate((0.6, 0.7, 0.4, 0.5)):
        predict(connection, session, p_up)
    # Session 3 is running: of sessions 0 and 1 the next session is over, of session 2 it is not.
    (accuracy,) = live_accuracy(connection)
    assert (accuracy.model_version, accuracy.outcomes, accuracy.hit_rate) == ("m1", 2, 0.5)
    assert accuracy.brier == pytest.approx((0.4**2 + 0.7**2) / 2)


def test_each_feed_knows_only_what_it_has_played(connection: Connection) -> None:
    predict(connection, 0, 0.6, "replay/2")
    assert live_accuracy(connection) == []
    for session in range(4):
        predict(connection, session, 0.6)
    (accuracy,) = live_accuracy(connection)
    assert accuracy.outcomes == 2


def test_what_the_model_was_trained_on_proves_nothing(connection: Connection) -> None:
    for session in range(4):
        predict(connection, session, 0.6, flags=[Flag.REPLAY, Flag.IN_SAMPLE])
    assert live_accuracy(connection) == []


def test_a_ticker_that_missed_the_next_session_has_no_outcome(connection: Connection) -> None:
    for session in range(4):
        predict(connection, session, 0.6)
    connection.execute(delete(market_data).where(market_data.c.timestamp == at(1)))
    assert live_accuracy(connection) == []
