"""What an incremental run of the product's models computes, counted, and that the result is that of a full one."""

import math
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, text

from dbt_like_sql import CheckError, ModelRun, run
from tests.integration.live_data import MARKET, SESSIONS, TICKERS, Market, fill

pytestmark = pytest.mark.integration

PARAMETERS = {"market_ticker": MARKET}
FEATURES = "SELECT * FROM features_daily ORDER BY ticker, session_date"
POSITIONS = "SELECT * FROM staging.earnings_positions ORDER BY ticker, session_date"
UP_TO_FEATURES = (
    "bars_adjusted", "session_places", "market_returns", "report_places", "earnings_positions", "features_daily",
)  # fmt: skip
EVERY_BAR = (len(TICKERS) + 1) * SESSIONS


@pytest.fixture
def market(engine: Engine) -> Market:
    """A small market whose models have run; AAPL has reports."""
    with engine.begin() as connection:
        made = fill(connection, models=False)
    run(engine, PARAMETERS, UP_TO_FEATURES)
    return made


def again(
    engine: Engine, *, full: bool = False, since: date | None = None, until: date | None = None
) -> dict[str, ModelRun]:
    return {one.name: one for one in run(engine, PARAMETERS, UP_TO_FEATURES, full=full, since=since, until=until)}


def correct(
    engine: Engine, ticker: str, day: date, *, recorded: str = "clock_timestamp()", times: float = 1.01
) -> None:
    """Store a new version of a bar, as an import does."""
    statement = f"""
        INSERT INTO market_data
        SELECT ticker, resolution, "timestamp", max(version) OVER () + 1, open, high * :times, low, close * :times,
            volume, adjustment_factor, dividend, split, source, known_at, {recorded}
        FROM market_data
        WHERE ticker = :ticker AND resolution = '1d' AND "timestamp" = :day
        ORDER BY version DESC
        LIMIT 1
    """
    with engine.begin() as connection:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        done = connection.execute(text(statement), {"ticker": ticker, "day": moment, "times": times})
        assert done.rowcount == 1


def rows(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def assert_as_after_a_full_run(engine: Engine) -> None:
    before = [rows(engine, query) for query in (FEATURES, POSITIONS)]
    done = again(engine, full=True)
    assert done["features_daily"].computed == EVERY_BAR
    assert (done["features_daily"].changed, done["earnings_positions"].changed) == (0, 0)
    assert [rows(engine, query) for query in (FEATURES, POSITIONS)] == before


def test_nothing_is_computed_where_nothing_changed(engine: Engine, market: Market) -> None:
    done = again(engine)
    for name in ("features_daily", "earnings_positions"):
        assert (done[name].computed, done[name].changed, done[name].scope) == (0, 0, "nothing")
    assert done["features_daily"].rows == EVERY_BAR


def test_a_corrected_bar_touches_its_ticker_from_its_session_on(engine: Engine, market: Market) -> None:
    place = 250
    day = market.sessions[place].session_date
    before = rows(engine, FEATURES)
    correct(engine, "IBM", day)
    done = again(engine)["features_daily"]
    assert (done.computed, done.scope) == (SESSIONS - place, f"IBM from {day}")
    after = rows(engine, FEATURES)
    differing = [new for old, new in zip(before, after, strict=True) if old != new]
    assert 0 < done.changed == len(differing) <= SESSIONS - place
    assert {row[0] for row in differing} == {"IBM"}
    assert min(row[1] for row in differing) == day  # type: ignore[type-var]
    assert_as_after_a_full_run(engine)


def test_late_bars_of_some_tickers_touch_each_from_its_own_session_on(engine: Engine, market: Market) -> None:
    days = {"AAPL": market.sessions[100].session_date, "IBM": market.sessions[300].session_date}
    for ticker, day in days.items():
        correct(engine, ticker, day)
    done = again(engine)["features_daily"]
    assert done.computed == (SESSIONS - 100) + (SESSIONS - 300)
    assert done.scope == f"AAPL from {days['AAPL']}; IBM from {days['IBM']}"
    assert_as_after_a_full_run(engine)


def test_a_corrected_bar_of_the_market_touches_all_from_its_session_on(engine: Engine, market: Market) -> None:
    day = market.sessions[310].session_date
    correct(engine, MARKET, day)
    done = again(engine)["features_daily"]
    assert done.computed == (len(TICKERS) + 1) * (SESSIONS - 310)
    assert_as_after_a_full_run(engine)


def test_a_bar_stored_under_an_older_moment_is_not_overlooked(engine: Engine, market: Market) -> None:
    """An import says itself when it recorded; a transaction may also commit later than another that began after it."""
    correct(engine, "IBM", market.sessions[250].session_date, recorded="'2001-01-01'")
    done = again(engine)["features_daily"]
    assert (done.computed, done.scope) == (SESSIONS, "IBM")
    assert_as_after_a_full_run(engine)


def test_bars_that_are_gone_take_their_rows_with_them(engine: Engine, market: Market) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM market_data WHERE ticker = 'MSFT'"))
    done = again(engine)["features_daily"]
    assert (done.computed, done.changed, done.rows) == (0, SESSIONS, EVERY_BAR - SESSIONS)


def test_a_new_report_touches_the_sessions_around_it(engine: Engine, market: Market) -> None:
    day = market.sessions[200].session_date
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO earnings_calendar VALUES ('IBM', :day, :known, NULL, NULL, 'made')"),
            {"day": day, "known": datetime(2011, 1, 1, tzinfo=UTC)},
        )
    done = again(engine)
    assert done["report_places"].changed == 1
    features = done["features_daily"]
    assert 0 < features.changed <= features.computed < SESSIONS
    assert features.scope.startswith("IBM")
    assert_as_after_a_full_run(engine)


def test_a_window_is_computed_whether_or_not_it_changed_and_other_changes_with_it(
    engine: Engine, market: Market
) -> None:
    first, last = (market.sessions[place].session_date for place in (300, 301))
    done = again(engine, since=first, until=last)["features_daily"]
    assert (done.computed, done.changed) == (2 * (len(TICKERS) + 1), 0)
    correct(engine, "IBM", market.sessions[250].session_date)
    done = again(engine, since=first, until=last)["features_daily"]
    assert done.computed == 2 * len(TICKERS) + (SESSIONS - 250)
    assert again(engine)["features_daily"].scope == "nothing"
    assert_as_after_a_full_run(engine)


def test_another_market_computes_all_from_where_it_differs(engine: Engine, market: Market) -> None:
    (returns,) = run(engine, {"market_ticker": "IBM"}, ["market_returns"])
    (features,) = run(engine, {"market_ticker": "IBM"}, ["features_daily"])
    assert returns.changed == SESSIONS - 1, "the first session has no return, whose ever it is"
    assert features.scope == f"everything from {market.sessions[1].session_date}"


def test_a_run_that_fails_leaves_the_work_to_the_next(engine: Engine, market: Market) -> None:
    day = market.sessions[250].session_date
    before = rows(engine, FEATURES)
    correct(engine, "IBM", day, times=math.nan)
    with pytest.raises(CheckError, match="range_rsi_14") as caught:
        again(engine)
    assert caught.value.tests["range_return_1d"] > 0
    assert "range_return_1d" not in caught.value.failures, "it only warns"
    assert rows(engine, FEATURES) == before
    mended = """
        UPDATE market_data AS bar
        SET high = former.high, close = former.close
        FROM market_data AS former
        WHERE bar.close = 'NaN' AND former.ticker = bar.ticker AND former."timestamp" = bar."timestamp"
            AND former.version < bar.version
    """
    with engine.begin() as connection:
        connection.execute(text(mended))
    assert again(engine)["features_daily"].scope == f"IBM from {day}"
    assert_as_after_a_full_run(engine)


def test_an_absurd_bar_of_one_ticker_is_told_and_stops_no_other(engine: Engine, market: Market) -> None:
    day = market.sessions[250].session_date
    for ticker in ("IBM", MARKET):
        correct(engine, ticker, day, times=1e6)
    done = again(engine)
    assert {name for name, wrong in done["features_daily"].tests.items() if wrong} >= {"range_return_1d"}
    assert done["market_returns"].tests["range_market_return"] == 2, "there and back"
    assert_as_after_a_full_run(engine)


def test_models_that_run_one_by_one_hear_of_each_other(engine: Engine, market: Market) -> None:
    """Dagster runs each model in a step of its own."""
    correct(engine, MARKET, market.sessions[310].session_date)
    for model in UP_TO_FEATURES:
        run(engine, PARAMETERS, [model])
    assert again(engine)["features_daily"].scope == "nothing"
    assert_as_after_a_full_run(engine)
