"""The SQL runner on a real PostgreSQL: what it makes, what it leaves, and what it takes back."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from dbt_like_sql import CheckError, Graph, ModelError, ModelRun, graph, run, run_tests
from riskee.errors import RetryableError
from riskee.storage.database import make_engine

pytestmark = pytest.mark.integration

SESSIONS = """/*
name: numbered
materialized: table
description: Sessions, numbered.
unique_key: [session_date]
columns:
  session_date: {description: session, not_null: true}
  place: {description: number, not_null: true, range: [1, null]}
*/
SELECT session_date, row_number() OVER (ORDER BY session_date) AS place
FROM source('trading_sessions')
WHERE session_date >= CAST(:first AS date)
"""
LATE = """/*
name: late
materialized: view
description: Sessions from the second on.
columns:
  place: {description: number, not_null: true}
*/
SELECT place FROM ref('numbered') WHERE place > 1
"""
FEATURES = """/*
name: features_daily
schema: public
materialized: incremental
unique_key: [ticker, session_date]
cut_by: session_date
description: One feature only.
columns:
  ticker: {description: symbol, not_null: true}
  session_date: {description: session, not_null: true}
  rsi_14: {description: made up, range: [0, 100]}
*/
SELECT 'AAPL' AS ticker, session_date, CAST(place AS double precision) * :times AS rsi_14
FROM ref('numbered')
WHERE session_date >= coalesce(CAST(:since AS date), '-infinity')
"""
PARAMETERS = {"first": date(2020, 1, 1), "times": 10}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with four sessions."""
    engine = make_engine(SecretStr(database_url), 2)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO trading_sessions SELECT day, day + time '14:30', day + time '21:00'"
                " FROM unnest(CAST(ARRAY['2020-01-02', '2020-01-03', '2020-01-06', '2020-01-07'] AS date[])) AS t (day)"
            )
        )
    yield engine
    engine.dispose()


@pytest.fixture
def models(tmp_path: Path) -> Graph:
    return written(tmp_path, SESSIONS, LATE, FEATURES)


def written(folder: Path, *files: str) -> Graph:
    path = folder / "staging"
    path.mkdir(exist_ok=True)
    for number, content in enumerate(files):
        (path / f"{number}.sql").write_text(content)
    return graph(folder)


def values(engine: Engine, query: str) -> list[object]:
    with engine.connect() as connection:
        return list(connection.scalars(text(query)))


RSI = "SELECT rsi_14 FROM features_daily ORDER BY session_date"


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


def test_rows_that_fail_a_check_are_taken_back_and_nothing_follows(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    with pytest.raises(CheckError, match="range_rsi_14 in 3 rows"):
        run(engine, {**PARAMETERS, "times": 60}, models=models)
    assert values(engine, RSI) == [10, 20, 30, 40]
    with pytest.raises(CheckError, match="range_place in 1 rows"):
        run(engine, {**PARAMETERS, "times": 60}, models=_starting_at_zero(models))
    assert values(engine, "SELECT count(*) FROM staging.numbered WHERE place = 0") == [0]


def _starting_at_zero(models: Graph) -> Graph:
    path = models.by_name["numbered"].path
    path.write_text(path.read_text().replace("AS place\n", "- 1 AS place\n"))
    return graph(path.parents[1])


@pytest.mark.parametrize("value", ["NULL", "'NaN'", "'Infinity'"])
def test_a_missing_value_is_in_range_and_nan_is_not(engine: Engine, models: Graph, value: str) -> None:
    path = models.by_name["features_daily"].path
    path.write_text(path.read_text().replace("CAST(place AS double precision) * :times", f"CAST({value} AS float8)"))
    changed = graph(path.parents[1])
    if value == "NULL":
        assert run(engine, PARAMETERS, models=changed)[-1].changed == 4
    else:
        with pytest.raises(CheckError, match="range_rsi_14 in 4 rows"):
            run(engine, PARAMETERS, models=changed)


def test_repeated_keys_are_found(engine: Engine, models: Graph) -> None:
    path = models.by_name["numbered"].path
    path.write_text(path.read_text() + "UNION ALL SELECT DATE '2020-01-02', 9")
    with pytest.raises(CheckError, match="unique_session_date in 1 rows"):
        run(engine, PARAMETERS, models=graph(path.parents[1]))


def test_a_changed_set_of_columns_makes_the_relation_anew(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    for name in ("numbered", "late"):
        path = models.by_name[name].path
        changed = path.read_text().replace("  place:", "  extra: {description: new}\n  place:")
        changed = changed.replace("row_number()", "1 AS extra, row_number()").replace(
            "SELECT place", "SELECT 1 AS extra, place"
        )
        path.write_text(changed)
    run(engine, PARAMETERS, models=graph(path.parents[1]))
    assert values(engine, "SELECT extra FROM staging.late LIMIT 1") == [1]


def test_a_view_survives_a_new_run_of_what_it_looks_at(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    run(engine, {**PARAMETERS, "first": date(2020, 1, 6)}, select=["numbered"], models=models)
    assert values(engine, "SELECT place FROM staging.late") == [2]


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


ORDERED = """/*
name: ordered
description: Values grow with the sessions.
*/
SELECT one.session_date
FROM ref('features_daily') AS one
INNER JOIN ref('features_daily') AS other ON other.session_date > one.session_date AND other.rsi_14 <= one.rsi_14
WHERE one.rsi_14 > :least
"""


def test_a_test_of_its_own_that_fails_keeps_the_former_rows(engine: Engine, models: Graph, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "ordered.sql").write_text(ORDERED)
    found = written(tmp_path / "models", SESSIONS, LATE, FEATURES)
    parameters = {**PARAMETERS, "least": 0}
    done = run(engine, parameters, models=found)
    assert "ordered" in done[-1].tests
    path = found.by_name["features_daily"].path
    path.write_text(path.read_text().replace("* :times", "* :times * CASE place WHEN 4 THEN 0.1 ELSE 1 END"))
    broken = graph(tmp_path / "models")
    with pytest.raises(CheckError, match="ordered in 3 rows") as caught:
        run(engine, parameters, models=broken)
    assert caught.value.failures == {"ordered": 3}
    assert values(engine, RSI) == [10, 20, 30, 40]
    with pytest.raises(ModelError, match=r"ordered\.sql:1: no value for :least"):
        run(engine, PARAMETERS, models=broken)
    with engine.begin() as connection:
        connection.execute(text("UPDATE features_daily SET rsi_14 = 5 WHERE rsi_14 = 40"))
    tests = {one.test: one.wrong for one in run_tests(engine, parameters, models=found) if one.wrong}
    assert tests == {"ordered": 3}, "tests alone look at the rows as they are"


@pytest.mark.parametrize(
    ("header", "failures"),
    [
        ("accepted_values: ['1', '2', '3', '4']", {}),
        ("accepted_values: ['1', '2']", {"accepted_values_place": 2}),
        ("relationship: trading_sessions.session_date", {"relationship_session_date": 1}),
        ("minimum_rows: 6", {"minimum_rows": 2}),
    ],
)
def test_tests_of_the_header(engine: Engine, tmp_path: Path, header: str, failures: dict[str, int]) -> None:
    model = SESSIONS
    if header.startswith("accepted"):
        model = model.replace("number, not_null: true", f"number, {header}")
    elif header.startswith("relationship"):
        model = model.replace("session, not_null: true", f"session, {header}") + "UNION ALL SELECT DATE '2020-01-01', 9"
    else:
        model = model.replace("columns:", f"{header}\ncolumns:")
    found = written(tmp_path, model)
    if not failures:
        assert run(engine, PARAMETERS, models=found)
        return
    with pytest.raises(CheckError) as caught:
        run(engine, PARAMETERS, models=found)
    assert caught.value.failures == failures
