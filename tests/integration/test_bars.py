"""Bars in a real database: versions, viewpoints, and how they are read."""

import threading
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, Engine, text

from riskee.market.bars import Bar
from riskee.market.frames import BAR_COLUMNS
from riskee.market.sessions import exchange_sessions
from riskee.storage.bars import BarCounts, bar_sources, last_sessions, session_bars, upsert_bars
from riskee.storage.recent_bars import recent_bars
from riskee.storage.sessions import write_sessions
from riskee.storage.tickers import TickerInfo, summaries, write_tickers

pytestmark = pytest.mark.integration


def frame(first: str, days: int, source: str = "a", ticker: str = "AAPL", **columns: Any) -> pd.DataFrame:
    """Bars of consecutive weekdays; the close counts up from 100 with the day of the month."""
    session = pd.bdate_range(first, periods=days).as_unit("us")
    close = 100.0 + session.day.to_numpy()
    made = pd.DataFrame(
        {
            "ticker": ticker,
            "session": session,
            "open": close - 1,
            "high": close + 2,
            "low": close - 2,
            "close": close,
            "volume": 1e6,
            "adjustment_factor": 1.0,
            "dividend": 0.0,
            "split": 1.0,
            "source": source,
            "known_at": session.tz_localize("UTC") + pd.Timedelta(hours=21),
        }
    )
    return made.assign(**columns)[list(BAR_COLUMNS)]


def stored(connection: Connection, column: str) -> dict[int, Any]:
    """The column of the latest versions, by day of the month."""
    return {
        row.session_date.day: getattr(row, column)
        for row in connection.execute(text("SELECT * FROM bars WHERE ticker = 'AAPL' ORDER BY session_date"))
    }


def test_a_changed_bar_is_a_new_version_and_an_equal_one_is_nothing(engine: Engine) -> None:
    first, changed = frame("2012-01-03", 4), frame("2012-01-03", 4)
    changed.loc[1, "close"] = 104.5
    with engine.begin() as connection:
        assert upsert_bars(connection, first) == BarCounts(new=4)
        assert upsert_bars(connection, first) == BarCounts(unchanged=4)
        assert upsert_bars(connection, changed) == BarCounts(changed=1, unchanged=3)
        assert stored(connection, "close") == {3: 103.0, 4: 104.5, 5: 105.0, 6: 106.0}
        assert stored(connection, "version") == {3: 1, 4: 2, 5: 1, 6: 1}
        # A correction may be taken back.
        assert upsert_bars(connection, first) == BarCounts(changed=1, unchanged=3)
        assert stored(connection, "close")[4] == 104.0
        assert connection.scalar(text("SELECT count(*) FROM market_data")) == 6


def test_a_source_that_repeats_itself_does_not_overrule_a_later_one(engine: Engine) -> None:
    mine, theirs = frame("2012-01-03", 3, "mine"), frame("2012-01-03", 3, "theirs", volume=2e6)
    with engine.begin() as connection:
        for _ in range(2):
            upsert_bars(connection, mine)
            upsert_bars(connection, theirs)
        assert upsert_bars(connection, mine) == BarCounts(unchanged=3)
        assert stored(connection, "volume") == {3: 2e6, 4: 2e6, 5: 2e6}


def test_a_close_alone_takes_no_prices_away_but_may_correct_the_close(engine: Engine) -> None:
    flat = {name: [103.001, 104.5, 105.0] for name in ("open", "high", "low", "close")}
    closes = frame("2012-01-03", 3, "closes", volume=0.0).assign(**flat)
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 2, "bars"))
        assert upsert_bars(connection, closes) == BarCounts(new=1, changed=1, unchanged=1)
        assert stored(connection, "high") == {3: 105.0, 4: 104.5, 5: 105.0}
        # A day without a trade that has its range is a correction, though the close is the same.
        assert upsert_bars(connection, frame("2012-01-03", 1, "bars", volume=0.0, high=104.5)) == BarCounts(changed=1)


def test_factors_of_another_viewpoint_are_brought_to_the_stored_one(engine: Engine) -> None:
    """The second vendor looked after a 4:1 split: all its factors are a quarter. Ratios must stay true everywhere."""
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 4, "old", adjustment_factor=0.8))
        upsert_bars(connection, frame("2012-01-05", 4, "new", adjustment_factor=0.2))
        assert stored(connection, "adjustment_factor") == pytest.approx(dict.fromkeys((3, 4, 5, 6, 9, 10), 0.8))
        assert upsert_bars(connection, frame("2012-01-05", 4, "new", adjustment_factor=0.2)) == BarCounts(unchanged=4)
        assert upsert_bars(connection, frame("2012-01-03", 4, "old", adjustment_factor=0.8)) == BarCounts(unchanged=4)


def test_bars_that_only_adjoin_continue_by_their_own_split_and_dividend(engine: Engine) -> None:
    following = frame("2012-01-05", 2, "new", close=[52.0, 53.0])
    following.loc[0, ["split", "dividend"]] = [2.0, 1.04]
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 2, "old", adjustment_factor=0.5))
        upsert_bars(connection, following)
        # The day before closed at 104, and one share became two: 1.04 for each of them is two per cent.
        assert stored(connection, "adjustment_factor")[5] == pytest.approx(0.5 * 2 / 0.98)


def test_a_dividend_that_is_the_whole_price_of_the_shares_links_nothing(engine: Engine) -> None:
    following = frame("2012-01-05", 2, "new", close=[52.0, 53.0])
    following.loc[0, ["split", "dividend"]] = [2.0, 52.0]
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 2, "old", adjustment_factor=0.5))
        upsert_bars(connection, following)
        assert stored(connection, "adjustment_factor")[5] == 1.0


def test_bars_after_a_gap_keep_their_factor(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 2, "old", adjustment_factor=0.5))
        upsert_bars(connection, frame("2012-03-01", 1, "new"))
        assert stored(connection, "adjustment_factor")[1] == 1.0


def test_a_rolled_back_merge_leaves_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        upsert_bars(connection, frame("1962-01-03", 3))
        connection.rollback()
        assert connection.scalar(text("SELECT count(*) FROM market_data")) == 0
        assert connection.scalar(text("SELECT to_regclass('market_data_1962')")) is None


def test_bars_are_recorded_at_one_moment_of_the_merge_not_of_the_transactions_start(engine: Engine) -> None:
    """What was read of the bars between the two did not have them."""
    with engine.begin() as connection:
        seen = connection.scalar(text("SELECT clock_timestamp()"))
        upsert_bars(connection, frame("2012-01-03", 20))
        (recorded,) = connection.scalars(text("SELECT DISTINCT recorded_at FROM market_data"))
        assert recorded > seen


def test_two_writers_of_one_bar_make_two_versions(engine: Engine) -> None:
    start, counts = threading.Barrier(2), []

    def write(close: float) -> None:
        start.wait()
        with engine.begin() as connection:
            counts.append(upsert_bars(connection, frame("2012-01-03", 1, close=close)))

    threads = [threading.Thread(target=write, args=(close,)) for close in (101.5, 102.5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts, key=str) == [BarCounts(changed=1), BarCounts(new=1)]


def test_recent_bars_are_the_last_before_the_day_padded_on_the_left(engine: Engine) -> None:
    corrected = frame("2012-01-04", 1, close=200.0)
    with engine.begin() as connection:
        write_tickers(connection, [TickerInfo("ZZZ", "has no bars", False, "test")])
        upsert_bars(connection, frame("2012-01-03", 4))
        upsert_bars(connection, corrected)
        upsert_bars(connection, frame("2012-01-05", 1, ticker="BRK.B"))
        matrix = recent_bars(connection, date(2012, 1, 6), 3)
        empty = recent_bars(connection, date(1990, 1, 1), 2)
    assert matrix.tickers == ("AAPL", "BRK.B", "ZZZ")
    nan = np.nan
    np.testing.assert_array_equal(matrix.close, [[103.0, 200.0, 105.0], [nan, nan, 105.0], [nan, nan, nan]])
    np.testing.assert_array_equal(matrix.factor[0], [1.0, 1.0, 1.0])
    assert matrix.session[0].tolist() == [date(2012, 1, 3), date(2012, 1, 4), date(2012, 1, 5)]
    assert np.isnat(matrix.session[1]).tolist() == [True, True, False]
    assert np.isnan(empty.close).all()
    assert empty.close.shape == (3, 2)


def test_session_bars_come_by_session_and_ticker_in_their_latest_version(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 3, ticker="IBM"))
        upsert_bars(connection, frame("2012-01-03", 3))
        upsert_bars(connection, frame("2012-01-04", 1, close=104.5))
        found = session_bars(connection, date(2012, 1, 4), date(2012, 1, 5))
    assert [(bar.session.day, bar.ticker, bar.close) for bar in found] == [
        (4, "AAPL", 104.5), (4, "IBM", 104.0), (5, "AAPL", 105.0), (5, "IBM", 105.0),
    ]  # fmt: skip
    assert found[1] == Bar("IBM", date(2012, 1, 4), 103.0, 106.0, 102.0, 104.0, 1e6, 1.0)


def test_the_last_sessions_end_with_the_newest_bar_that_is_no_index(engine: Engine) -> None:
    with engine.begin() as connection:
        assert last_sessions(connection, 3) == []
        write_tickers(connection, [TickerInfo("SPX", "index", True, "test")])
        write_sessions(connection, exchange_sessions(date(2012, 1, 1), date(2012, 12, 31)))
        upsert_bars(connection, frame("2012-01-03", 9))
        upsert_bars(connection, frame("2012-01-03", 30, ticker="SPX"))
        assert last_sessions(connection, 2) == [date(2012, 1, 12), date(2012, 1, 13)]


def test_a_stray_late_bar_of_one_ticker_does_not_move_the_last_sessions(engine: Engine) -> None:
    with engine.begin() as connection:
        write_sessions(connection, exchange_sessions(date(2012, 1, 1), date(2012, 12, 31)))
        for ticker in ("AAPL", "IBM", "MSFT"):
            upsert_bars(connection, frame("2012-01-03", 9, ticker=ticker))
        upsert_bars(connection, frame("2012-06-01", 1, ticker="IBM"))
        assert last_sessions(connection, 1) == [date(2012, 1, 13)]
        upsert_bars(connection, frame("2012-06-01", 1, ticker="MSFT"))
        assert last_sessions(connection, 1) == [date(2012, 6, 1)]


def test_the_later_history_of_one_ticker_moves_the_last_sessions(engine: Engine) -> None:
    with engine.begin() as connection:
        write_sessions(connection, exchange_sessions(date(2012, 1, 1), date(2012, 12, 31)))
        for ticker in ("AAPL", "IBM", "MSFT"):
            upsert_bars(connection, frame("2012-01-03", 9, ticker=ticker))
        upsert_bars(connection, frame("2012-01-03", 30, ticker="TSLA"))
        assert last_sessions(connection, 1) == [date(2012, 2, 13)]


def test_sources_are_those_of_the_bars_in_their_latest_version(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 6))
        upsert_bars(connection, frame("2012-01-05", 2, "b", volume=2e6))
        upsert_bars(connection, frame("2012-01-03", 1, "c", ticker="IBM"))
        found = bar_sources(connection, date(2012, 1, 1))
        assert bar_sources(connection, date(2012, 1, 6))["AAPL"][0] == (date(2012, 1, 6), "b")
    changes = [(date(2012, 1, 3), "a"), (date(2012, 1, 5), "b"), (date(2012, 1, 9), "a")]
    assert found == {"AAPL": changes, "IBM": [(date(2012, 1, 3), "c")]}


def test_the_summary_counts_bars_versions_and_sources(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert_bars(connection, frame("2012-01-03", 3, "a"))
        upsert_bars(connection, frame("2012-01-05", 2, "b", volume=2e6))
        (summary,) = summaries(connection)
    assert (summary.ticker, summary.first, summary.last) == ("AAPL", date(2012, 1, 3), date(2012, 1, 6))
    assert (summary.bars, summary.versions, summary.sources, summary.quarantined) == (4, 5, ("a", "b"), 0)
