"""What the SQL runner makes anew in a real PostgreSQL, and what it leaves in peace."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dbt_like_sql import Graph, ModelError, graph, run
from tests.integration.sql.models import (
    LATE,
    PARAMETERS,
    changed,
    values,
    written,
)

pytestmark = pytest.mark.integration


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


AS_TABLE = ("materialized: view", "materialized: table")


def test_a_view_that_becomes_a_table_leaves_what_it_read_in_peace(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    tables = changed(models, "late", AS_TABLE, ("WHERE place > 1", "WHERE place > 2"))
    assert [one.changed for one in run(engine, PARAMETERS, ["late"], models=tables)] == [2]
    assert values(engine, "SELECT place FROM staging.numbered ORDER BY 1") == [1, 2, 3, 4]
    assert values(engine, "SELECT place FROM staging.late ORDER BY 1") == [3, 4]
    views = changed(tables, "late", AS_TABLE[::-1])
    run(engine, {**PARAMETERS, "first": date(2020, 1, 3)}, ["numbered", "late"], models=views)
    assert values(engine, "SELECT place FROM staging.late ORDER BY 1") == [3], "a view again"


def test_a_changed_type_makes_the_relation_anew(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    exact = changed(models, "numbered", ("row_number() OVER (ORDER BY session_date)", "CAST(1.5 AS numeric)"))
    run(engine, PARAMETERS, ["numbered"], models=exact)
    assert values(engine, "SELECT DISTINCT place FROM staging.numbered") == [Decimal("1.5")]
    assert values(engine, "SELECT DISTINCT place FROM staging.late") == [Decimal("1.5")], "the view that reads it, too"
    words = changed(exact, "late", ("SELECT place", "SELECT CAST(place AS text) AS place"))
    run(engine, PARAMETERS, ["late"], models=words)
    assert values(engine, "SELECT DISTINCT place FROM staging.late") == ["1.5"]


def test_a_changed_key_makes_the_table_anew(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    keyed = changed(models, "numbered", ("unique_key: [session_date]", "unique_key: [session_date, place]"))
    run(engine, PARAMETERS, ["numbered"], models=keyed)
    assert values(engine, "SELECT place FROM staging.late ORDER BY 1") == [2, 3, 4]


def test_views_of_other_models_outlive_what_they_read(engine: Engine, models: Graph, tmp_path: Path) -> None:
    later = LATE.replace("name: late", "name: later").replace("ref('numbered')", "ref('late')")
    models = written(tmp_path, later)
    run(engine, PARAMETERS, models=models)
    tables = changed(models, "late", AS_TABLE)
    run(engine, PARAMETERS, ["late"], models=tables)
    assert values(engine, "SELECT place FROM staging.later ORDER BY 1") == [2, 3, 4]
    # Both files change at once: the view as it was can not be made again.
    renamed = [("  place:", "  spot:"), ("AS place", "AS spot")]
    changed(tables, "numbered", *renamed)
    changed(tables, "late", ("  place:", "  spot:"), ("SELECT place", "SELECT spot"), ("place > 1", "spot > 1"))
    both = changed(tables, "later", ("SELECT place", "SELECT spot AS place"), ("WHERE place", "WHERE spot"))
    run(engine, PARAMETERS, ["numbered", "late"], models=both)
    assert values(engine, "SELECT place FROM staging.later ORDER BY 1") == [2, 3, 4]


def test_a_view_that_is_not_of_the_models_is_not_taken_away(engine: Engine, models: Graph) -> None:
    run(engine, PARAMETERS, models=models)
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW public.mine AS SELECT place FROM staging.late"))
    exact = changed(models, "numbered", ("row_number()", "1.5 * row_number()"))
    with pytest.raises(ModelError, match=r"numbered\.sql:\d+: .*view mine depends on view staging\.late") as caught:
        run(engine, PARAMETERS, models=exact)
    assert "run again" in caught.value.remedy
    assert values(engine, "SELECT place FROM mine ORDER BY 1") == [2, 3, 4]


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "message"),
    [
        ("numbered", "AS place", "+\nnowhere AS place", 11, 'column "nowhere" does not exist'),
        (
            "numbered",
            "WHERE",
            "WHERE\n    '%' = '%%' AND CAST(:first AS date) > '2000-01-01' AND\n    1 AND",
            14,
            "must be type boolean",
        ),
        ("features_daily", "* :times", "* :times / 0", 1, "division by zero"),
        ("late", "WHERE place", "WHERE\nnowhere(place)", 9, "function nowhere(bigint) does not exist"),
    ],
)
def test_sql_that_postgresql_refuses_is_named_by_file_and_line(
    engine: Engine, models: Graph, name: str, old: str, new: str, line: int, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        run(engine, PARAMETERS, models=changed(models, name, (old, new)))
    assert message in caught.value.cause
    assert (caught.value.path.stem, caught.value.line) == (name, line)
