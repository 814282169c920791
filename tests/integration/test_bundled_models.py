"""What is trained on the features of the bundled history."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text

from dbt_like_sql import run
from riskee.features.definitions import NORMAL_FEATURES
from riskee.model.dataset import read_training_set
from riskee.model.training import train
from riskee.settings import ModelSettings, Settings
from tests.integration.bundled_history import MARKET, PARAMETERS, imported, taken_back

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CUTOFF = date(2012, 9, 10)


@pytest.fixture(scope="module")
def history(settings: Settings, template_database: str) -> Iterator[Engine]:
    """The bundled history with its features. Tests change it in transactions that they take back."""
    with imported(settings) as engine:
        run(engine, PARAMETERS)
        yield engine


@pytest.fixture
def connection(history: Engine) -> Iterator[Connection]:
    with taken_back(history) as connection:
        yield connection


def test_the_training_set_ends_before_its_cutoff(connection: Connection) -> None:
    data = read_training_set(connection, "normal", CUTOFF)
    assert data.outcome_session.max() < np.datetime64(CUTOFF)
    assert (data.outcome_session > data.session).all()
    assert MARKET not in data.tickers
    assert np.isfinite(data.outcome).all()
    assert (data.scale > 0).all()
    # The outcome is the next session's own return.
    following = {(t, s): r for t, s, r in zip(data.ticker, data.session, data.features[:, 0], strict=True)}
    pairs = [
        (outcome, following[ticker, day])
        for ticker, day, outcome in zip(data.ticker, data.outcome_session, data.outcome, strict=True)
        if (ticker, day) in following
    ]
    assert len(pairs) > 11_000
    outcome, move = np.array(pairs).T
    np.testing.assert_allclose(outcome, move, rtol=1e-9, atol=1e-15)


def test_later_bars_change_no_earlier_training_row(history: Engine) -> None:
    """Truncation: the rows up to a cutoff are the same whether or not the database knows what came after."""
    with history.connect() as connection:
        whole = read_training_set(connection, "normal", CUTOFF)
    with history.connect() as connection:
        connection.execute(text("DELETE FROM market_data WHERE \"timestamp\" >= '2012-09-10'"))
        connection.execute(text("DELETE FROM features_daily WHERE session_date >= '2012-09-10'"))
        cut = read_training_set(connection, "normal", CUTOFF)
        connection.rollback()
    assert cut.sha256 == whole.sha256


def test_the_earnings_model_learns_from_sessions_near_reports_only(connection: Connection) -> None:
    data = read_training_set(connection, "earnings", CUTOFF, window_sessions=5)
    ahead, since = (data.features[:, column] for column in (len(NORMAL_FEATURES), len(NORMAL_FEATURES) + 1))
    assert len(data) > 900
    assert (np.minimum(ahead, since) <= 5).all()
    everything = read_training_set(connection, "normal", CUTOFF)
    assert len(data) < len(everything) / 5


@pytest.mark.parametrize("model_type", ["normal", "earnings"])
def test_the_bundled_history_gives_honest_models(connection: Connection, model_type: str) -> None:
    assert model_type in ("normal", "earnings")
    data = read_training_set(connection, model_type, CUTOFF)  # type: ignore[arg-type]
    settings = ModelSettings()
    result = train(data, settings)
    print(f"{model_type}: {len(data)} rows, {result.metrics}, {result.reason}")
    metrics = {name: value for name, value in result.metrics.items() if value is not None}
    assert abs(metrics["ic"]) < 0.15, "more would be a leak"
    assert 0.7 < metrics["coverage_80"] < 0.9
    assert result.decision == "promoted"
    assert result.reason.startswith("first model of its type; not shown to be better than")
    assert result.artifact.trained_through < CUTOFF
    assert result.artifact.valid_until == result.artifact.trained_through + timedelta(days=settings.expires_after_days)
    assert train(data, settings).artifact.to_bytes() == result.artifact.to_bytes()
