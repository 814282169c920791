"""Bars as they were known at a moment: corrections, later splits, and histories that came late."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from sqlalchemy import Connection, Engine, text

from riskee.storage.bars import known_bars, upsert_bars
from tests.integration.test_bars import frame

pytestmark = pytest.mark.integration
LEARNT = datetime(2012, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2012, 4, 1, tzinfo=UTC)


def closes(connection: Connection, known: datetime) -> dict[int, float]:
    """The close by day of the month, as known then."""
    return {bar.session.day: bar.close for bar in known_bars(connection, "AAPL", known, 10)}


def adjusted(connection: Connection, known: datetime) -> list[float]:
    """The adjusted returns, oldest first, as known then."""
    prices = [bar.close * bar.adjustment_factor for bar in known_bars(connection, "AAPL", known, 10)]
    return [later / earlier for earlier, later in pairwise(prices)]


def test_a_correction_is_known_from_when_it_was_learnt_and_the_old_bar_until_then(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 3), LEARNT.replace(month=2))
        upsert_bars(connection, frame("2012-01-04", 1, close=104.5), LEARNT)
        assert closes(connection, LEARNT) == {3: 103.0, 4: 104.5, 5: 105.0}
        assert closes(connection, LEARNT.replace(hour=11)) == {3: 103.0, 4: 104.0, 5: 105.0}
        (corrected,) = (bar for bar in known_bars(connection, "AAPL", LEARNT, 9) if bar.version == 2)
        assert (corrected.known_at, corrected.close) == (LEARNT, 104.5)


def test_a_bar_is_not_known_before_its_session_is_over(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 3), LEARNT)
        # The fixture's sessions close at 21:00 UTC.
        assert list(closes(connection, datetime(2012, 1, 4, 20, 59, tzinfo=UTC))) == [3]
        assert list(closes(connection, datetime(2012, 1, 4, 21, tzinfo=UTC))) == [3, 4]


def test_a_later_split_does_not_change_the_returns_known_before(engine: Engine) -> None:
    """The second file was made after a 4:1 split on the sixth: all its earlier factors are a quarter."""
    after = frame("2012-01-03", 4, adjustment_factor=[0.25, 0.25, 0.25, 1.0], split=[1.0, 1.0, 1.0, 4.0])
    after.loc[3, ["open", "high", "low", "close"]] = [26.0, 27.0, 25.0, 26.5]
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 3), datetime(2012, 1, 5, 22, tzinfo=UTC))
        before = adjusted(connection, datetime(2012, 1, 6, tzinfo=UTC))
        upsert_bars(connection, after, LEARNT)
        assert adjusted(connection, datetime(2012, 1, 6, tzinfo=UTC)) == before
        assert adjusted(connection, LATER) == pytest.approx([*before, 26.5 * 4 / 105])


def test_what_was_stored_by_then_can_be_told_from_what_came_later(engine: Engine) -> None:
    """A history that is imported late counts as known at its closes; only the second moment leaves it out."""
    query = text("SELECT session_date FROM bars_known_at(:known, :stored) ORDER BY 1")
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-04", 1), LEARNT)
        upsert_bars(connection, frame("2012-01-03", 1), LATER)
        found = {
            stored.month: [day.day for day in connection.scalars(query, {"known": LATER, "stored": stored})]
            for stored in (LEARNT, LATER)
        }
    assert found == {3: [4], 4: [3, 4]}


def test_a_correction_without_a_moment_is_learnt_now(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 1))
        upsert_bars(connection, frame("2012-01-03", 1, close=104.5))
        began, ends = connection.execute(text("SELECT now(), clock_timestamp()")).one()
        known = connection.scalars(text("SELECT known_at FROM market_data ORDER BY version")).all()
        recorded = connection.scalars(text("SELECT recorded_at FROM market_data ORDER BY version")).all()
    assert began < recorded[0] < recorded[1] < ends
    assert known == [datetime(2012, 1, 3, 21, tzinfo=UTC), recorded[1]]


def test_the_function_reads_one_ticker_by_its_key(engine: Engine) -> None:
    """Inlined, so that a filter reaches the index: else every read would sort the whole history."""
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 1))
        plan = connection.scalars(
            text("EXPLAIN SELECT * FROM bars_known_at('2012-02-01') WHERE ticker = 'AAPL' AND resolution = '1d'")
        ).all()
    assert not any("Function Scan" in line for line in plan), plan
