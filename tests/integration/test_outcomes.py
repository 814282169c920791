"""Scoring published predictions into the track record."""

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from math import log
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select

from riskee.clock import FixedClock
from riskee.market.sessions import Session
from riskee.messaging.messages import Flag
from riskee.storage import outcomes
from riskee.storage.outcomes import Scored, score
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import market_data, predictions, scoring_progress, track_record
from riskee.storage.tickers import TickerInfo, write_tickers
from riskee.storage.track_record import GENESIS, head, verify

pytestmark = pytest.mark.integration
FIRST = date(2012, 9, 3)
# The second session halves the price by a split: in adjusted prices it rises.
CLOSES = ((100.0, 0.5), (51.0, 1.0), (50.0, 1.0), (55.0, 1.0), (60.0, 1.0))
CLOCK = FixedClock(datetime(2026, 1, 5, 12, tzinfo=UTC))


def at(session: int) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=session)


@pytest.fixture(autouse=True)
def history(engine: Engine) -> None:
    """One ticker, five sessions."""
    with engine.begin() as opened:
        write_sessions(opened, (Session(at(day).date(), at(day), at(day)) for day in range(len(CLOSES))))
        write_tickers(opened, [TickerInfo("AAPL", "Apple", is_index=False, source="test")])
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


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as opened:
        yield opened


def predict(
    connection: Connection,
    session: int,
    p_up: float,
    feed: str = "replay/1",
    flags: Sequence[Flag] = (),
    version: str = "m1",
    ticker: str = "AAPL",
    before_close: timedelta = timedelta(),
    asked_after: timedelta = timedelta(),
) -> uuid.UUID:
    """A prediction at the session's close, or before it; or one that a job asked for, so long after the quote came."""
    price, made = CLOSES[session][0], predicted_at(session, int(feed.rpartition("/")[2])) - before_close
    identity = uuid.uuid4()
    connection.execute(
        insert(predictions).values(
            prediction_id=identity, quote_id=uuid.uuid4(), prediction_time=made, ticker=ticker, feed=feed,
            data_time=at(session) - before_close, as_of=made + asked_after, session_date=at(session).date(),
            horizon="1d",
            model_type="normal", model_version=version, feature_set="f", expected_return=0.0, p_up=p_up,
            confidence=max(p_up, 1 - p_up), flags=list(flags), price=price, predicted_price=price,
            price_p10=price * 0.97, price_p50=price, price_p90=price * 1.04,
        )
    )  # fmt: skip
    return identity


def sessions(connection: Connection) -> list[tuple[int, str, str]]:
    """Number of the session, model and feed of each row of the record, in its order."""
    rows = connection.execute(select(track_record).order_by(track_record.c.sequence))
    return [((row.session_date - FIRST).days, row.model_version, row.feed) for row in rows]


def test_nothing_comes_of_no_predictions(connection: Connection) -> None:
    done = score(connection, CLOCK)
    assert (done.rows, done.head.sha256) == (0, GENESIS)


def test_a_prediction_is_scored_on_adjusted_closes_once_its_horizon_has_passed(connection: Connection) -> None:
    identities = [predict(connection, session, p_up) for session, p_up in enumerate((0.6, 0.7, 0.4, 0.5))]
    # Session 3 is running: of sessions 0 and 1 the next session is over, of session 2 it is not.
    done = score(connection, CLOCK)
    assert done.rows == 2
    first, second = connection.execute(select(track_record).order_by(track_record.c.sequence))
    assert (first.sequence, first.prediction_id, first.outcome_session) == (1, identities[0], at(1).date())
    assert first.realised_return == pytest.approx(log(51.0 / 50.0))
    assert (first.interval_low, first.interval_high) == pytest.approx((log(0.97), log(1.04)))
    assert second.realised_return == pytest.approx(log(50.0 / 51.0))
    assert (first.previous_sha256, second.previous_sha256) == (GENESIS, first.sha256)
    assert done.head.sha256 == second.sha256
    assert first.scored_at == CLOCK.at
    assert verify(connection).broken is None


@pytest.mark.parametrize(
    ("feed", "scored"),
    [
        # Of a replay the session before the running one, of a live feed all three, whose bars are there.
        ("replay/1", 1), ("replay/2012-09-03..2012-09-07/1", 1),
        ("replay/minutes/2012-09-03..2012-09-07/2012-09-04/1", 2), ("yahoo/1", 6),
    ],
)  # fmt: skip
def test_of_a_told_daily_bar_only_the_close_is_scored(connection: Connection, feed: str, scored: int) -> None:
    """Its other quotes are made with the close in hand."""
    for session in range(3):
        predict(connection, session, 0.6, feed)
        predict(connection, session, 0.6, feed, before_close=timedelta(hours=2))
    assert score(connection, CLOCK).rows == scored


def test_scoring_again_adds_only_what_has_passed_since(connection: Connection) -> None:
    for session in range(4):
        predict(connection, session, 0.6)
    assert [score(connection, CLOCK).rows for _ in range(2)] == [2, 0]
    predict(connection, 4, 0.6)
    assert score(connection, CLOCK).rows == 1
    assert [number for number, *_ in sessions(connection)] == [0, 1, 2]


def through(connection: Connection) -> datetime:
    """From where the next scoring looks, but for what may be recorded late."""
    found: datetime = connection.execute(select(scoring_progress.c.through)).scalar_one()
    return found


def predicted_at(session: int, pass_number: int = 1) -> datetime:
    """Each pass of a feed predicts a year after the one before it."""
    return at(session) + timedelta(days=365 * pass_number)


def test_settled_predictions_are_not_looked_at_again(connection: Connection) -> None:
    """Else each scoring would read everything that is kept."""
    for session in range(4):
        predict(connection, session, 0.6)
    score(connection, CLOCK)
    assert through(connection) == predicted_at(2)


def test_a_pass_that_has_ended_is_settled_by_its_bars(connection: Connection) -> None:
    for session in range(4):
        predict(connection, session, 0.6)
    assert score(connection, CLOCK).rows == 2
    predict(connection, 0, 0.6, "replay/2", version="m2")
    assert score(connection, CLOCK).rows == 2
    # Of the pass that runs, no later bar counts, though all are stored.
    assert sessions(connection) == [(number, "m1", "replay/1") for number in range(4)]


def test_a_family_of_feeds_that_has_ended_holds_nothing_up(connection: Connection) -> None:
    """Its last session has no outcome yet; what follows is looked at from where the feed that runs now stands."""
    for session in range(len(CLOSES)):
        predict(connection, session, 0.6)
    score(connection, CLOCK)
    assert through(connection) == predicted_at(3)
    predict(connection, 3, 0.6, "alpaca/2", version="m2")
    predict(connection, 4, 0.6, "alpaca/2", version="m2")
    assert score(connection, CLOCK).rows == 2
    assert sessions(connection)[-2:] == [(3, "m1", "replay/1"), (3, "m2", "alpaca/2")]
    assert through(connection) == predicted_at(4, 2), "of the live feed the last session waits for its bars"


def test_an_outcome_counts_once_its_session_has_closed(connection: Connection) -> None:
    """A vendor may give the bar of a session that goes on."""
    predict(connection, 0, 0.6, "alpaca/1")
    assert score(connection, FixedClock(at(1) - timedelta(seconds=1))).rows == 0
    assert score(connection, FixedClock(at(1))).rows == 1


def test_a_prediction_that_was_recorded_late_is_scored(connection: Connection) -> None:
    """Other tickers or models of its moment were scored long before."""
    for feed in ("replay/1", "replay/2"):
        for session in range(5):
            predict(connection, session, 0.6, feed)
    assert score(connection, CLOCK).rows == 4
    predict(connection, 2, 0.6, "replay/2", version="late")
    assert through(connection) - predicted_at(2, 2) == timedelta(days=1)
    assert score(connection, CLOCK).rows == 1
    assert sessions(connection)[-1] == (2, "late", "replay/2")


def test_a_session_that_is_played_again_counts_once(connection: Connection) -> None:
    for session in range(4):
        predict(connection, session, 0.6)
    score(connection, CLOCK)
    for session in range(5):
        predict(connection, session, 0.6, "replay/2")
        predict(connection, session, 0.6, "replay/2", version="m2")
    assert score(connection, CLOCK).rows == 2 + 3
    # The first pass has ended: the last two sessions of it are settled, and count.
    assert sorted(sessions(connection)) == [
        (0, "m1", "replay/1"), (0, "m2", "replay/2"), (1, "m1", "replay/1"), (1, "m2", "replay/2"),
        (2, "m1", "replay/1"), (2, "m2", "replay/2"), (3, "m1", "replay/1"),
    ]  # fmt: skip


@pytest.mark.parametrize("written_first", ["tick", "job"])
def test_of_a_quote_that_was_asked_about_again_what_was_said_first_counts(
    connection: Connection, written_first: str
) -> None:
    """Whoever asks later knows more."""
    later = timedelta(minutes=30)
    for asked_after in (timedelta(), later) if written_first == "tick" else (later, timedelta()):
        predict(connection, 0, 0.7 if asked_after else 0.6, asked_after=asked_after)
    predict(connection, 3, 0.6)
    score(connection, CLOCK)
    assert connection.scalar(select(track_record.c.p_up).order_by(track_record.c.sequence)) == 0.6
    assert sessions(connection).count((0, "m1", "replay/1")) == 1


def test_what_the_model_was_trained_on_proves_nothing(connection: Connection) -> None:
    for session in range(4):
        predict(connection, session, 0.6, flags=[Flag.REPLAY, Flag.IN_SAMPLE])
    assert score(connection, CLOCK).rows == 0


def test_a_ticker_that_missed_the_next_session_has_no_outcome(connection: Connection) -> None:
    for session in range(4):
        predict(connection, session, 0.6)
    connection.execute(delete(market_data).where(market_data.c.timestamp == at(1)))
    assert [number for number, *_ in (score(connection, CLOCK), sessions(connection))[1]] == []


def test_an_outcome_waits_for_its_bar(connection: Connection) -> None:
    """The feed went on, and the day's bars are not imported yet."""
    for session in range(4):
        predict(connection, session, 0.6)
    kept = connection.execute(select(market_data).where(market_data.c.timestamp >= at(2))).mappings().all()
    connection.execute(delete(market_data).where(market_data.c.timestamp >= at(2)))
    assert score(connection, CLOCK).rows == 1
    connection.execute(insert(market_data), [dict(row) for row in kept])
    assert score(connection, CLOCK).rows == 1


def add_late_ticker(connection: Connection, *stored: int) -> list[dict[str, Any]]:
    """Another ticker with the bars of the `stored` sessions. Answers its other bars, as AAPL has them."""
    write_tickers(connection, [TickerInfo("LATE", "Late", is_index=False, source="test")])
    bars = [
        {**row, "ticker": "LATE"}
        for row in connection.execute(select(market_data).order_by(market_data.c.timestamp)).mappings()
    ]
    connection.execute(insert(market_data), [bars[session] for session in stored])
    return [bar for session, bar in enumerate(bars) if session not in stored]


def tickers(connection: Connection) -> list[str]:
    """The ticker of each row of the record, in its order."""
    return list(connection.scalars(select(track_record.c.ticker).order_by(track_record.c.sequence)))


def live(session: int, days: float = 0) -> FixedClock:
    """A moment after the live predictions of a session."""
    return FixedClock(predicted_at(session) + timedelta(days=days, hours=1))


def test_a_ticker_whose_bar_comes_late_is_scored_then(connection: Connection) -> None:
    """The bars of others say nothing of it."""
    missing = add_late_ticker(connection, 0)
    for session in range(4):
        for ticker in ("AAPL", "LATE"):
            predict(connection, session, 0.6, "alpaca/1", ticker=ticker)
    assert score(connection, live(4)) == Scored(4, head(connection), without_outcome=0)
    assert score(connection, live(9)).rows == 0
    connection.execute(insert(market_data), missing)
    assert score(connection, live(9)) == Scored(4, head(connection), without_outcome=0)
    assert tickers(connection) == ["AAPL"] * 4 + ["LATE"] * 4


def test_a_ticker_that_waits_lets_nobody_else_be_looked_at_again(connection: Connection) -> None:
    add_late_ticker(connection, 0)
    for session in range(4):
        for ticker in ("AAPL", "LATE"):
            predict(connection, session, 0.6, "alpaca/1", ticker=ticker)
    score(connection, live(4))
    positions = connection.execute(select(scoring_progress.c.through).order_by(scoring_progress.c.name))
    assert list(positions.scalars()) == [predicted_at(3), predicted_at(0)]


def test_a_bar_of_its_own_that_is_later_settles_a_ticker_without_an_outcome(connection: Connection) -> None:
    add_late_ticker(connection, 0, 2)
    predict(connection, 0, 0.6, "alpaca/1", ticker="LATE")
    assert score(connection, live(3)) == Scored(0, head(connection), without_outcome=1)


def test_after_ten_days_a_ticker_without_bars_is_not_waited_for(connection: Connection) -> None:
    """It was delisted, or the vendor has it no more."""
    missing = add_late_ticker(connection, 0)
    predict(connection, 0, 0.6, "alpaca/1", ticker="LATE")
    predict(connection, 4, 0.6, "alpaca/1")
    assert score(connection, live(0, days=9)) == Scored(0, head(connection), without_outcome=0)
    assert score(connection, live(0, days=10)) == Scored(0, head(connection), without_outcome=1)
    connection.execute(insert(market_data), missing)
    assert score(connection, live(0, days=10)).rows == 0


def test_two_who_score_at_once_write_each_row_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "BATCH", 1)
    with engine.begin() as connection:
        for session in range(5):
            predict(connection, session, 0.6)

    def run(_: int) -> int:
        with engine.begin() as own:
            return score(own, CLOCK).rows

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [0, 0, 0, 3]
    with engine.begin() as connection:
        assert verify(connection).head.rows == 3


def test_a_scoring_that_fails_leaves_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        for session in range(5):
            predict(connection, session, 0.6)
    with engine.connect() as connection:
        score(connection, CLOCK)
        connection.rollback()
    with engine.begin() as connection:
        assert score(connection, CLOCK).rows == 3
