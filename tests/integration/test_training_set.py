"""What the query behind a training set makes of sessions, gaps and the market."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text

from riskee.model.dataset import TREND_SESSIONS, TrainingSet, read_training_set
from riskee.storage.findings import Finding, Kind, add_findings

pytestmark = pytest.mark.integration

FIRST = date(2020, 1, 1)
# AAA has no bar in these sessions: too long a gap for one history.
LOST = range(100, 130)
SESSIONS = 160


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def move(number: int) -> float:
    return 0.01 * (1 + number % 7)


@pytest.fixture
def data(engine: Engine) -> TrainingSet:
    with engine.begin() as connection:
        _fill(connection)
    with engine.connect() as connection:
        return read_training_set(connection, "normal", day(SESSIONS))


def _fill(connection: Connection) -> None:
    """One ticker, a session every day; features only where the query needs some. AAA starts in the sixth session."""
    connection.execute(text("INSERT INTO tickers (ticker, name, source) VALUES ('AAA', 'A', 'test')"))
    for number in range(SESSIONS):
        session = {"day": day(number)}
        connection.execute(
            text(
                "INSERT INTO trading_sessions VALUES (:day, CAST(:day AS timestamp) AT TIME ZONE 'UTC',"
                " CAST(:day AS timestamp) AT TIME ZONE 'UTC' + interval '6 hours')"
            ),
            session,
        )
        connection.execute(
            text("INSERT INTO features_daily (ticker, session_date, market_return_1d) VALUES ('MARKET', :day, 0.001)"),
            session,
        )
    there = [number for number in range(5, SESSIONS) if number not in LOST]
    rows = [{"day": day(n), "move": None if n in (5, LOST.stop) else move(n), "price": 10.0 + n} for n in there]
    connection.execute(
        text(
            'INSERT INTO market_data (ticker, resolution, "timestamp", open, high, low, close, volume,'
            " adjustment_factor, dividend, split, source, known_at) VALUES ('AAA', '1d',"
            " CAST(:day AS timestamp) AT TIME ZONE 'UTC', :price, :price, :price, :price, 1, 1, 0, 1, 'test', now())"
        ),
        rows,
    )
    connection.execute(
        text(
            "INSERT INTO features_daily (ticker, session_date, return_1d, volatility_20d, market_return_1d)"
            " VALUES ('AAA', :day, :move, 0.02, 0.001)"
        ),
        rows,
    )


def test_how_the_transaction_joins_is_what_it_was_before(engine: Engine) -> None:
    shown = [text(f"SHOW enable_{way}") for way in ("nestloop", "mergejoin")]
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_nestloop = off"))
        read_training_set(connection, "normal", day(SESSIONS))
        assert [connection.scalar(one) for one in shown] == ["off", "on"]


def test_a_row_s_place_is_its_session_s_among_all(data: TrainingSet) -> None:
    days = (data.session - np.datetime64(FIRST)).astype(int)
    assert (data.place - data.place[0] == days - days[0]).all()
    assert days[0] == 5
    # The session before the gap has no outcome: its next bar is not the next session's.
    assert LOST.start - 1 not in days
    assert not set(LOST) & set(days.tolist())


def test_the_baseline_s_volatility_begins_anew_after_a_gap(data: TrainingSet) -> None:
    known = dict(zip((data.session - np.datetime64(FIRST)).astype(int), data.ewma_volatility, strict=True))
    for first in (5, LOST.stop):
        assert np.isnan(known[first])
        expected = move(first + 1) ** 2
        assert known[first + 1] == pytest.approx(np.sqrt(expected))
        expected += 0.06 * (move(first + 2) ** 2 - expected)
        assert known[first + 2] == pytest.approx(np.sqrt(expected))


def test_the_market_s_trend_is_its_move_over_a_quarter(data: TrainingSet) -> None:
    number = (data.session - np.datetime64(FIRST)).astype(int)
    assert np.isnan(data.market_trend[number < TREND_SESSIONS - 1]).all()
    np.testing.assert_allclose(data.market_trend[number >= TREND_SESSIONS - 1], 0.001 * TREND_SESSIONS)


def test_returns_over_a_suspicious_split_or_factor_are_not_learnt_from(engine: Engine) -> None:
    odd = {40: Kind.SUSPICIOUS_SPLIT, 60: Kind.SUSPICIOUS_FACTOR, 61: Kind.SUSPICIOUS_SPLIT, 80: Kind.PRICE_JUMP}
    with engine.begin() as connection:
        _fill(connection)
        before = read_training_set(connection, "normal", day(SESSIONS))
        findings = [Finding("AAA", day(number), kind, "x") for number, kind in odd.items()]
        findings += [
            Finding("AAA", day(60), Kind.SUSPICIOUS_SPLIT, "x"),
            Finding("BBB", day(20), findings[0].kind, "x"),
        ]
        add_findings(connection, findings, "test", datetime(2020, 12, 1, tzinfo=UTC))
        data = read_training_set(connection, "normal", day(SESSIONS))
    gone = set(before.session.tolist()) - set(data.session.tolist())
    # The odd session is the outcome of the row before, and the newest return of its own.
    assert gone == {day(number) for number in (39, 40, 59, 60, 61)}
    assert (before.left_out, data.left_out) == (0, 5)
    assert len(data) == len(before) - 5


def test_what_is_read_afterwards_is_planned_as_ever(engine: Engine) -> None:
    with engine.connect() as connection:
        read_training_set(connection, "normal", day(SESSIONS))
        for setting in ("enable_mergejoin", "enable_nestloop"):
            assert connection.scalar(text(f"SHOW {setting}")) == "on"
