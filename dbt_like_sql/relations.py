"""The relations of models in the database: made, and made anew where they are not what the model asks for.

All names in these statements come from model files.
"""
# ruff: noqa: S608

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.errors import DependentObjectsStillExist
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError, ProgrammingError

from dbt_like_sql.errors import ModelError, sql_errors
from dbt_like_sql.graph import Graph
from dbt_like_sql.model import Model

Values = Mapping[str, Any]

# Window functions over the whole history sort a million rows: in memory, not on disk.
_WORK_MEM = "256MB"
_KINDS = {"r": "TABLE", "p": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE"}
_COLUMNS = text("""
    SELECT attname AS name, format_type(atttypid, atttypmod) AS type
    FROM pg_attribute
    WHERE attrelid = to_regclass(:relation) AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
""")
_KEYED = text("""
    SELECT EXISTS (
        SELECT FROM pg_index
        WHERE indrelid = CAST(:relation AS regclass) AND indisunique AND (
            SELECT array_agg(CAST(attname AS text) ORDER BY attname) FROM pg_attribute
            WHERE attrelid = indrelid AND attnum = ANY(indkey)
        ) = CAST(:keys AS text[])
    )
""")
# The views that read a relation, directly or through views, those first on which no other depends.
_READERS = text("""
    WITH RECURSIVE reader (view, depth) AS (
        SELECT CAST(to_regclass(:relation) AS oid), 0
        UNION
        SELECT rule.ev_class, reader.depth + 1
        FROM reader
        INNER JOIN pg_depend AS need
            ON need.refobjid = reader.view
            AND need.refclassid = CAST('pg_class' AS regclass) AND need.classid = CAST('pg_rewrite' AS regclass)
        INNER JOIN pg_rewrite AS rule ON rule.oid = need.objid AND rule.ev_class <> reader.view
    )
    SELECT nspname || '.' || relname AS relation, pg_get_viewdef(pg_class.oid) AS definition
    FROM reader
    INNER JOIN pg_class ON pg_class.oid = reader.view AND relkind = 'v' AND depth > 0
    INNER JOIN pg_namespace ON pg_namespace.oid = relnamespace
    GROUP BY nspname, relname, pg_class.oid
    ORDER BY max(depth) DESC
""")


@dataclass(frozen=True)
class _View:
    """A view of the graph that was dropped with what it reads, as it was."""

    model: Model
    definition: str


def prepare(connection: Connection, model: Model) -> None:
    """Make the schema, and let one run of a model follow the other."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": model.relation})
    connection.execute(text("SELECT set_config('work_mem', :size, true)"), {"size": _WORK_MEM})
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {model.schema}"))


def count_rows(connection: Connection, model: Model) -> int:
    """The rows that a model holds or, being a view, shows."""
    return int(connection.scalar(text(f"SELECT count(*) FROM {model.relation}")) or 0)


def make_view(connection: Connection, model: Model, models: Graph) -> None:
    """Make or replace a view. Raises ModelError where it takes parameters."""
    if model.parameters:
        raise ModelError(model.path, 1, "a view cannot take parameters", "materialize it as a table")
    wanted = _wanted_columns(connection, model, models, {})
    readers: Sequence[_View] = ()
    if (_kind(connection, model), _columns(connection, model.relation)) != ("VIEW", wanted):
        readers = _drop(connection, model, models)
    connection.execute(text(f"CREATE OR REPLACE VIEW {model.relation} AS {model.compiled(models.relations)}"))
    _make_again(connection, readers, models)


def make_table(connection: Connection, model: Model, models: Graph, values: Values) -> bool:
    """Make the table where it is not there with these columns, types and key. Answers whether it was made anew."""
    if model.schema == "public":
        # The migrations made it; that it has more columns than the model is for them to say.
        return False
    wanted = _wanted_columns(connection, model, models, values)
    found = (_kind(connection, model), _columns(connection, model.relation))
    if found == ("TABLE", wanted) and _is_keyed(connection, model):
        return False
    readers = _drop(connection, model, models)
    query = model.compiled(models.relations)
    connection.execute(text(f"CREATE TABLE {model.relation} AS {query}\nWITH NO DATA"), values)
    if model.header.unique_key:
        keys = ", ".join(model.header.unique_key)
        connection.execute(text(f"CREATE UNIQUE INDEX {model.name}_key ON {model.relation} ({keys})"))
    _make_again(connection, readers, models)
    return True


def _wanted_columns(connection: Connection, model: Model, models: Graph, values: Values) -> list[tuple[str, str]]:
    """Name and type of each column of the model's query."""
    query = model.compiled(models.relations)
    connection.execute(text(f"CREATE TEMPORARY TABLE shape ON COMMIT DROP AS {query}\nWITH NO DATA"), values)
    wanted = _columns(connection, "pg_temp.shape")
    connection.execute(text("DROP TABLE pg_temp.shape"))
    return wanted


def _columns(connection: Connection, relation: str) -> list[tuple[str, str]]:
    """Name and type of each column; none: it is not there."""
    return [(row.name, row.type) for row in connection.execute(_COLUMNS, {"relation": relation})]


def _kind(connection: Connection, model: Model) -> str | None:
    """What the relation is, as DROP calls it; None: it is not there."""
    statement = text("SELECT CAST(relkind AS text) FROM pg_class WHERE oid = to_regclass(:relation)")
    kind = connection.scalar(statement, {"relation": model.relation})
    return None if kind is None else _KINDS[kind]


def _is_keyed(connection: Connection, model: Model) -> bool:
    """Whether the table refuses two rows of one key, so that rows can be brought in by it."""
    keys = sorted(model.header.unique_key)
    return not keys or bool(connection.scalar(_KEYED, {"relation": model.relation, "keys": keys}))


def _drop(connection: Connection, model: Model, models: Graph) -> list[_View]:
    """Drop the relation, if it is there, with the views of the graph that read it. Answers these.

    Raises ModelError where anything else depends on it: that is for its owner to drop.
    """
    kind = _kind(connection, model)
    if kind is None:
        return []
    by_relation = {one.relation: one for one in models.models}
    found = connection.execute(_READERS, {"relation": model.relation}).all()
    readers = [_View(by_relation[row.relation], row.definition) for row in found if row.relation in by_relation]
    try:
        for reader in readers:
            connection.execute(text(f"DROP VIEW {reader.model.relation}"))
        connection.execute(text(f"DROP {kind} {model.relation}"))
    except DatabaseError as error:
        if not isinstance(error.orig, DependentObjectsStillExist):
            raise
        raise ModelError(
            model.path,
            1,
            f"{model.relation} must be made anew, but others depend on it: {error.orig.diag.message_detail}",
            "drop what is not of the models, run again, and make it anew",
        ) from error
    return readers


def _make_again(connection: Connection, readers: Sequence[_View], models: Graph) -> None:
    """Make dropped views as they were or, where that is impossible now, as their files say."""
    for reader in reversed(readers):
        create = f"CREATE VIEW {reader.model.relation} AS "
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(create + reader.definition, execution_options={"no_parameters": True})
        except ProgrammingError:
            with sql_errors(reader.model.path):
                make_view(connection, reader.model, models)
