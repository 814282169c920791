"""Tests of rows on a real PostgreSQL: what breaks them is taken back, or told."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dbt_like_sql import CheckError, Graph, ModelError, graph, run, run_tests
from tests.integration.sql.models import (
    FEATURES,
    LATE,
    PARAMETERS,
    RSI,
    SESSIONS,
    changed,
    values,
    written,
)

pytestmark = pytest.mark.integration


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
    remade = graph(path.parents[1])
    if value == "NULL":
        assert {one.name: one.changed for one in run(engine, PARAMETERS, models=remade)}["features_daily"] == 4
    else:
        with pytest.raises(CheckError, match="range_rsi_14 in 4 rows"):
            run(engine, PARAMETERS, models=remade)


def test_repeated_keys_are_found(engine: Engine, models: Graph) -> None:
    path = models.by_name["numbered"].path
    path.write_text(path.read_text() + "UNION ALL SELECT DATE '2020-01-02', 9")
    with pytest.raises(CheckError, match="unique_session_date in 1 rows"):
        run(engine, PARAMETERS, models=graph(path.parents[1]))


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
    assert {one.name: one.tests for one in done}["features_daily"]["ordered"] == 0
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


def test_a_test_that_only_warns_keeps_the_rows_and_tells(engine: Engine, tmp_path: Path) -> None:
    warned = SESSIONS.replace("range: [1, null]", "range: [2, null], warn: true")
    found = written(tmp_path, warned)
    (done,) = run(engine, PARAMETERS, models=found)
    assert (done.rows, done.tests["range_place"], done.tests["not_null_place"]) == (4, 1, 0)
    told = {one.test: (one.wrong, one.warn) for one in run_tests(engine, PARAMETERS, models=found)}
    assert told["range_place"] == (1, True)


def test_only_tests_that_were_run_are_told(engine: Engine, models: Graph) -> None:
    computed = {one.name: set(one.tests) for one in run(engine, PARAMETERS, models=models)}
    assert "range_rsi_14" in computed["features_daily"]
    again = {one.name: set(one.tests) for one in run(engine, PARAMETERS, models=models)}
    assert again["features_daily"] == set(), "nothing was computed"
    assert again["numbered"] == computed["numbered"]
    sized = changed(models, "numbered", ("columns:", "minimum_rows: 9\ncolumns:"), ("range: [1", "range: [2"))
    with pytest.raises(CheckError) as caught:
        run(engine, PARAMETERS, models=sized)
    assert caught.value.tests["range_place"] == 1
    assert "minimum_rows" not in caught.value.tests
