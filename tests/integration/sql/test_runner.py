"""The SQL runner on a real PostgreSQL: what it makes, in which order, and what it refuses."""

from datetime import date

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from dbt_like_sql import Graph, ModelError, ModelRun, run
from riskee.errors import RetryableError
from riskee.storage.database import make_engine
from tests.integration.sql.models import (
    PARAMETERS,
    RSI,
    values,
)

pytestmark = pytest.mark.integration


def test_models_are_made_in_order_and_told(engine: Engine, models: Graph) -> None:
    told: list[ModelRun] = []
    done = run(engine, PARAMETERS, on_model=told.append, models=models)
    assert told == done
    assert {one.name: (one.rows, one.changed) for one in done} == {
        "numbered": (4, 4),
        "late": (3, 0),
        "features_daily": (4, 4),
    }
    assert all(one.tests for one in done)
    assert values(engine, "SELECT place FROM staging.late ORDER BY 1") == [2, 3, 4]
    assert values(engine, RSI) == [10, 20, 30, 40]


def test_running_again_changes_nothing(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    rows = "SELECT xmin::text FROM features_daily ORDER BY session_date"
    before = values(engine, rows)
    again = run(engine, PARAMETERS, models=models)
    assert again[-1].changed == 0
    assert values(engine, rows) == before, "an unchanged row is not written again"


def test_an_incremental_model_replaces_rows_from_since_on(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO features_daily (ticker, session_date) VALUES ('GONE', '2020-01-02')"))
        connection.execute(text("INSERT INTO features_daily (ticker, session_date) VALUES ('GONE', '2020-01-07')"))
        connection.execute(text("UPDATE features_daily SET rsi_14 = 1 WHERE ticker = 'AAPL'"))
    done = run(engine, PARAMETERS, select=["features_daily"], since=date(2020, 1, 6), models=models)
    assert done[0].changed == 3, "two rows with wrong values, one that is no more"
    assert values(engine, RSI.replace("ORDER", "WHERE ticker = 'AAPL' ORDER")) == [1, 1, 30, 40]
    assert values(engine, "SELECT session_date FROM features_daily WHERE ticker = 'GONE'") == [date(2020, 1, 2)]


def test_values_travel_as_parameters_never_as_text(engine: Engine, models: Graph) -> None:
    with pytest.raises(Exception, match="invalid input syntax") as caught:
        run(engine, {**PARAMETERS, "first": "2020-01-01'); DROP TABLE features_daily; --"}, models=models)
    assert not isinstance(caught.value, ProgrammingError)
    assert values(engine, "SELECT count(*) FROM features_daily") == [0]


def test_a_missing_value_is_an_error_before_anything_runs(engine: Engine, models: Graph) -> None:
    with pytest.raises(ModelError, match="no value for :times"):
        run(engine, {"first": date(2020, 1, 1)}, models=models)
    assert values(engine, "SELECT count(*) FROM pg_namespace WHERE nspname = 'staging'") == [0]


def test_a_database_that_does_not_answer_is_retryable(models: Graph) -> None:
    nowhere = make_engine(SecretStr("postgresql+psycopg://riskee@127.0.0.1:1/none"), 1)
    with pytest.raises(RetryableError, match="does not answer"):
        run(nowhere, PARAMETERS, models=models)
