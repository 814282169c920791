"""The SQL features against the live kernel on the bundled history."""

import itertools
import math
from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text

from dbt_like_sql import run
from riskee.features import kernel, windows
from riskee.features.definitions import FEATURES, WARM_UP_BARS
from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.features.parity import RELATIVE, compare
from riskee.features.windows import Records
from riskee.market.bars import Floats
from riskee.model.dataset import read_training_set
from riskee.settings import Settings
from riskee.storage.calendar import reports
from riskee.storage.recent_bars import recent_bars
from riskee.storage.sessions import read_sessions
from tests.integration.bundled_history import MARKET, PARAMETERS, imported, make_results, taken_back

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CUTOFF = date(2012, 9, 10)
# Ticker, the last bar before the lost ones, the next one after: ten days are no gap, eleven are.
LOST = (
    ("IBM", date(2011, 6, 6), date(2011, 6, 16)),
    ("MSFT", date(2011, 6, 6), date(2011, 6, 17)),
    ("AAPL", date(2011, 1, 20), date(2012, 1, 20)),
    (MARKET, date(2005, 6, 6), date(2005, 6, 17)),
)


@pytest.fixture(scope="module")
def history(settings: Settings, template_database: str) -> Iterator[Engine]:
    """The bundled history with its features. Tests change it in transactions that they take back."""
    with imported(settings) as engine:
        run(engine, PARAMETERS)
        yield engine


@pytest.fixture(scope="module")
def interrupted(settings: Settings, template_database: str) -> Iterator[Engine]:
    """The bundled history with made-up results, of which bars between two days were lost."""
    lost = 'DELETE FROM market_data WHERE ticker = :ticker AND "timestamp" > :last AND "timestamp" < :next'
    with imported(settings) as engine:
        with engine.begin() as connection:
            for ticker, last, following in LOST:
                connection.execute(text(lost), {"ticker": ticker, "last": last, "next": following})
            make_results(connection)
        run(engine, PARAMETERS)
        yield engine


@pytest.fixture
def connection(history: Engine) -> Iterator[Connection]:
    with taken_back(history) as connection:
        yield connection


def test_every_value_agrees(connection: Connection) -> None:
    report = compare(connection, MARKET)
    print(f"parity: {report.values} values, worst {report.worst:.2e} ({report.worst_feature})")
    assert report.agrees, report
    # 12,154 bars of the stocks and 5,031 of the index.
    assert report.rows == 12_154 + 5_031
    assert report.values == report.rows * len(FEATURES)
    assert report.worst < RELATIVE


def test_every_value_agrees_around_gaps(interrupted: Engine) -> None:
    """Whether the kernel sees the gap come or is built across it, and whatever part of the history SQL computes."""
    with interrupted.connect() as connection:
        report = compare(connection, MARKET)
        assert report.agrees, report
        assert (connection.scalar(text("SELECT count(DISTINCT earnings_surprise) FROM features_daily")) or 0) > 20
        for cutoff in (date(2011, 6, 25), date(2012, 3, 1)):
            _assert_live_state_agrees(connection, cutoff)
        before = first_rows_after_the_gaps(connection)
    assert before[0] is not None, "ten days are no gap"
    assert before[1:] == [None, None, None]
    (done,) = run(interrupted, PARAMETERS, select=["features_daily"], since=date(2011, 6, 20))
    assert (done.computed > 100, done.changed) == (True, 0), "not even the last digit of an average"
    with interrupted.connect() as connection:
        assert compare(connection, MARKET).agrees


def first_rows_after_the_gaps(connection: Connection) -> list[float | None]:
    statement = text("SELECT return_1d FROM features_daily WHERE ticker = :ticker AND session_date = :day")
    return [connection.scalar(statement, {"ticker": ticker, "day": day}) for ticker, _, day in LOST]


def test_no_training_outcome_spans_lost_bars(interrupted: Engine) -> None:
    with interrupted.connect() as connection:
        data = read_training_set(connection, "normal", CUTOFF)
        days = [session.session_date for session in read_sessions(connection)]
    following = dict(itertools.pairwise(days))
    rows = zip(data.session.tolist(), data.outcome_session.tolist(), strict=True)
    assert all(following[session] == outcome for session, outcome in rows)
    last = {(data.tickers.index(ticker), day) for ticker, day, _ in LOST if ticker != MARKET}
    assert not last & set(zip(data.ticker.tolist(), data.session.tolist(), strict=True))


def test_planted_errors_are_found_and_named(connection: Connection) -> None:
    where = "WHERE ticker = 'IBM' AND session_date = '2008-10-10'"
    connection.execute(text(f"UPDATE features_daily SET rsi_14 = rsi_14 * (1 + 3e-9), beta_60d = NULL {where}"))
    connection.execute(text("DELETE FROM features_daily WHERE ticker = 'FB' AND session_date = '2012-06-01'"))
    connection.execute(text("INSERT INTO features_daily (ticker, session_date) VALUES ('FB', '2001-01-02')"))
    report = compare(connection, MARKET)
    assert not report.agrees
    assert (report.mismatches, report.missing_rows, report.surplus_rows) == (2, 1, 1)
    assert {(one.ticker, one.session, one.feature) for one in report.examples} == {
        ("IBM", "2008-10-10", "rsi_14"),
        ("IBM", "2008-10-10", "beta_60d"),
    }
    assert report.worst_feature == "rsi_14"


def test_an_infinite_value_beside_a_number_is_a_mismatch(connection: Connection) -> None:
    where = "WHERE ticker = 'IBM' AND session_date = '2008-10-10'"
    connection.execute(text(f"UPDATE features_daily SET rsi_14 = 'infinity' {where}"))
    report = compare(connection, MARKET, since=date(2008, 10, 10), until=date(2008, 10, 10))
    assert (report.mismatches, report.worst_feature, report.worst) == (1, "rsi_14", np.inf)


@pytest.mark.parametrize(("since", "until"), [(date(2008, 10, 10), date(2008, 10, 10)), (date(2011, 1, 3), None)])
def test_some_sessions_alone_are_compared_as_the_live_service_computes_them(
    interrupted: Engine, since: date, until: date | None
) -> None:
    seen: list[tuple[int, int]] = []
    with interrupted.connect() as connection:
        report = compare(connection, MARKET, since=since, until=until, progress=lambda *days: seen.append(days))
        counted = text("SELECT count(*) FROM features_daily WHERE session_date BETWEEN :since AND :until")
        wanted = connection.scalar(counted, {"since": since, "until": until or date.max})
    assert report.agrees, report
    assert report.rows == wanted
    assert seen[-1][0] == seen[-1][1] > 0


@pytest.mark.parametrize("feature", ["return_252d", "macd", "earnings_move", "earnings_surprise"])
def test_a_hundred_millionth_in_the_table_is_a_mismatch(interrupted: Engine, feature: str) -> None:
    with interrupted.connect() as connection:
        day = connection.scalar(
            text(f"SELECT max(session_date) FROM features_daily WHERE ticker = 'IBM' AND abs({feature}) > 0.001")
        )
        plant = (
            f"UPDATE features_daily SET {feature} = {feature} * (1 + 1e-8) WHERE ticker = 'IBM' AND session_date = :day"
        )
        connection.execute(text(plant), {"day": day})
        for since in (None, day):
            report = compare(connection, MARKET, since=since, until=day)
            assert [(one.ticker, one.feature) for one in report.examples] == [("IBM", feature)]
            assert report.mismatches == 1
        connection.rollback()


def test_a_kernel_with_a_window_of_19_is_a_mismatch(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def shorter(closes: Floats, values: Floats, returns: Floats, market: Floats) -> Records:
        out = windows.moments(closes, values, returns, market)
        out["return_mean_20"], out["return_squares_20"] = windows.centred(returns[:, -18:])
        return out

    monkeypatch.setattr(kernel, "moments", shorter)
    report = compare(connection, MARKET, since=date(2012, 6, 1), until=date(2012, 6, 1))
    assert {one.feature for one in report.examples} == {"volatility_20d", "market_volatility_20d"}
    assert not report.agrees


def test_the_state_of_the_live_service_agrees_from_its_last_512_bars_on(connection: Connection) -> None:
    """Built as the predict service builds it, not from the first bar."""
    _assert_live_state_agrees(connection, CUTOFF)


def _assert_live_state_agrees(connection: Connection, before: date) -> None:
    state = FeatureState(recent_bars(connection, before, WARM_UP_BARS), MARKET)
    days = np.array([session.session_date for session in read_sessions(connection)], "datetime64[D]")
    earnings = EarningsFeatures(reports(connection), days, state)
    for ticker in ("AAPL", "FB", "IBM", "MSFT"):
        row = np.array([state.index_of[ticker]])
        session = state.sessions(row)[0]
        if np.isnat(session):
            continue
        computed = np.concatenate([state.features(row)[0], earnings.features(row, session)[0]])
        stored = connection.execute(
            text("SELECT * FROM features_daily WHERE ticker = :ticker AND session_date = :day"),
            {"ticker": ticker, "day": session.astype(object)},
        ).one()
        table = np.array([math.nan if value is None else value for value in stored[2:]])
        np.testing.assert_allclose(computed, table, rtol=RELATIVE, atol=1e-12, equal_nan=True)


def test_features_of_the_latest_sessions_alone_are_those_of_a_full_run(history: Engine) -> None:
    total = "SELECT count(*) FROM features_daily"
    with history.connect() as connection:
        before = connection.scalar(text(total))
    (done,) = run(history, PARAMETERS, select=["features_daily"], since=date(2012, 6, 1))
    assert (done.computed > 100, done.changed) == (True, 0), "not even the last digit of an average"
    with history.connect() as connection:
        assert connection.scalar(text(total)) == before
        assert compare(connection, MARKET).agrees
