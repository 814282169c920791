"""Nothing that comes later changes an earlier feature: histories cut at random days, in SQL and in the live kernel."""

import shutil
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, text

from dbt_like_sql import Graph, graph, run
from dbt_like_sql.graph import MODELS
from riskee.features.definitions import EARNINGS_FEATURES
from riskee.features.parity import Kernel, read_bars
from riskee.market.bars import Dates, Floats
from riskee.market.reports import Reports
from riskee.settings import Settings
from riskee.storage.calendar import reports
from riskee.storage.columns import read_columns
from tests.integration.bundled_history import MARKET, PARAMETERS, TICKERS, copied, imported, make_results

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SEEDS = (1, 2, 3)
Cuts = Mapping[str, date]
"""The last day that is known of each ticker."""

_NUMBERED = '(SELECT ticker, row_number() OVER (ORDER BY ticker COLLATE "C") - 1 AS number FROM tickers) AS t'
_FEATURES = sql.SQL(
    "SELECT number, session_date - DATE '1970-01-01', {} FROM features_daily INNER JOIN {} USING (ticker)"
    " ORDER BY number, session_date"
).format(sql.SQL(", ").join(map(sql.Identifier, EARNINGS_FEATURES)), sql.SQL(_NUMBERED))


@pytest.fixture(scope="module")
def whole(settings: Settings, template_database: str) -> Iterator[Engine]:
    """The bundled history and its features, with made-up results."""
    with imported(settings) as engine:
        with engine.begin() as connection:
            make_results(connection)
        run(engine, PARAMETERS)
        yield engine


def random_cuts(engine: Engine, seed: int) -> Cuts:
    """A day for each ticker in the fortnight before one of its reports, when most is not known yet, or on the day.

    None is after the market's: where the market is not known, its features are not those of an earlier day.
    """
    rng = np.random.default_rng(seed)
    with engine.connect() as connection:
        dates = {ticker: company.date.tolist() for ticker, company in reports(connection).items()}
    cuts = {}
    for ticker in TICKERS:
        # Of Google the calendar has no report so early.
        days = [day for day in dates[ticker] if date(2008, 1, 1) < day < date(2012, 9, 1)] or [date(2010, 6, 1)]
        cuts[ticker] = days[rng.integers(len(days))] - timedelta(days=int(rng.integers(15)))
    return cuts | {MARKET: max(cuts.values()) + timedelta(days=int(rng.integers(30)))}


def truncate(connection: Connection, cuts: Cuts) -> None:
    """Forget all that was not known at the end of each ticker's day."""
    for ticker, cut in cuts.items():
        known = {"ticker": ticker, "cut": cut, "end": cut + timedelta(days=1)}
        for statement in (
            "DELETE FROM market_data WHERE ticker = :ticker AND \"timestamp\" AT TIME ZONE 'UTC' >= :end",
            "DELETE FROM earnings_calendar WHERE ticker = :ticker AND known_at AT TIME ZONE 'UTC' > :end",
            # A report may come after the close.
            "UPDATE earnings_calendar SET eps_estimate = NULL, eps_reported = NULL"
            " WHERE ticker = :ticker AND report_date >= :cut",
        ):
            connection.execute(text(statement), known)


def table_rows(connection: Connection) -> Floats:
    """The table's rows: number of the ticker, day, features."""
    return read_columns(connection, _FEATURES, 2 + len(EARNINGS_FEATURES))


def kernel_rows(connection: Connection) -> Floats:
    """The same from the live kernel."""
    bars = read_bars(connection, date(1990, 1, 1), date(2030, 1, 1))
    rows = np.hstack([bars[:, :2], Kernel.before(connection, None, MARKET).replay(bars)])
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


def changed_features(before: Floats, after: Floats, cuts: Cuts) -> set[str]:
    """The features of which a bit differs in a row up to its ticker's cut; all of them where a row is missing."""
    last: Dates = np.array([cuts[ticker] for ticker in sorted(cuts)], "datetime64[D]")
    earlier = [rows[rows[:, 1] <= last.astype(np.float64)[rows[:, 0].astype(np.int64)]] for rows in (before, after)]
    first, second = (np.ascontiguousarray(rows).view(np.int64) for rows in earlier)
    if not np.array_equal(first[:, :2], second[:, :2]):
        return set(EARNINGS_FEATURES)
    assert len(first) > 5_000
    return {
        name for name, differs in zip(EARNINGS_FEATURES, (first != second)[:, 2:].any(axis=0), strict=True) if differs
    }


def computed(settings: Settings, whole: Engine, models: Graph, cuts: Cuts) -> Floats:
    """All features, computed again from what was known at the cuts."""
    with copied(settings, whole) as engine:
        with engine.begin() as connection:
            truncate(connection, cuts)
        run(engine, PARAMETERS, models=models, full=True)
        with engine.connect() as connection:
            return table_rows(connection)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_sql_feature_knows_what_comes_later(settings: Settings, whole: Engine, seed: int) -> None:
    cuts = random_cuts(whole, seed)
    with whole.connect() as connection:
        before = table_rows(connection)
    assert changed_features(before, computed(settings, whole, graph(), cuts), cuts) == set()


@pytest.mark.parametrize(
    ("model", "honest", "leaking", "found"),
    [
        ("features_daily", "ln(close / lag(close, 5) OVER t)", "ln(lead(close) OVER t / close)", {"return_5d"}),
        (
            "features_daily",
            "stddev_samp(move) OVER (t ROWS 19 PRECEDING)",
            "stddev_samp(move) OVER (t ROWS BETWEEN 10 PRECEDING AND 9 FOLLOWING)",
            {"volatility_20d"},
        ),
        ("report_places", "known.on_place AS known", "CAST(0 AS bigint) AS known", {"sessions_to_earnings"}),
        (
            "report_places",
            "placed.after_place,",
            "placed.after_place - 30 AS after_place,",
            {"earnings_move", "earnings_surprise"},
        ),
    ],
)
def test_a_planted_leak_is_caught(
    settings: Settings, whole: Engine, tmp_path: Path, model: str, honest: str, leaking: str, found: set[str]
) -> None:
    shutil.copytree(MODELS, tmp_path / "models")
    (path,) = (tmp_path / "models").rglob(f"{model}.sql")
    query = path.read_text()
    assert honest in query
    path.write_text(query.replace(honest, leaking))
    models, cuts = graph(tmp_path / "models"), random_cuts(whole, 1)
    before, after = (computed(settings, whole, models, known) for known in ({}, cuts))
    assert found <= changed_features(before, after, cuts)


@pytest.fixture(scope="module")
def kernel_whole(whole: Engine) -> Floats:
    with whole.connect() as connection:
        return kernel_rows(connection)


def kernel_changed_by_the_future(whole: Engine, before: Floats, cuts: Cuts) -> set[str]:
    with whole.connect() as connection:
        truncate(connection, cuts)
        after = kernel_rows(connection)
        connection.rollback()
    return changed_features(before, after, cuts)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_feature_of_the_kernel_knows_what_comes_later(whole: Engine, kernel_whole: Floats, seed: int) -> None:
    assert kernel_changed_by_the_future(whole, kernel_whole, random_cuts(whole, seed)) == set()


def test_a_kernel_that_takes_dates_for_known_is_caught(whole: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def always(company: Reports) -> Dates:
        return np.full(company.date.shape, np.datetime64("1990-01-01", "D"))

    monkeypatch.setattr(Reports, "known_days", always)
    with whole.connect() as connection:
        leaking = kernel_rows(connection)
    assert "sessions_to_earnings" in kernel_changed_by_the_future(whole, leaking, random_cuts(whole, 1))
