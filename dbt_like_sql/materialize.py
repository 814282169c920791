"""How the rows of a model get into the database. All names in these statements come from model files."""
# ruff: noqa: S608

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, text

from dbt_like_sql.errors import ModelError
from dbt_like_sql.model import Model

Values = Mapping[str, Any]

# Window functions over the whole history sort a million rows: in memory, not on disk.
_WORK_MEM = "256MB"


def prepare(connection: Connection, model: Model) -> None:
    """Make the schema, and let one run of a model follow the other."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": model.relation})
    connection.execute(text("SELECT set_config('work_mem', :size, true)"), {"size": _WORK_MEM})
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {_schema(model)}"))


def count_rows(connection: Connection, model: Model) -> int:
    """The rows that a model holds; a view holds none."""
    if model.header.materialized == "view":
        return 0
    return int(connection.scalar(text(f"SELECT count(*) FROM {model.relation}")) or 0)


def _make_view(connection: Connection, model: Model, query: str, values: Values) -> int:
    if values:
        raise ModelError(model.path, 1, "a view cannot take parameters", "materialize it as a table")
    if _columns(connection, model) != list(model.header.columns):
        connection.execute(text(f"DROP VIEW IF EXISTS {model.relation} CASCADE"))
    connection.execute(text(f"CREATE OR REPLACE VIEW {model.relation} AS\n{query}"))
    return 0


def _make_table(connection: Connection, model: Model, query: str, values: Values) -> int:
    """Replace all rows; the table is made anew only when its columns changed, for others may look at it."""
    names = ", ".join(model.header.columns)
    if _columns(connection, model) == list(model.header.columns):
        connection.execute(text(f"DELETE FROM {model.relation}"))
    else:
        connection.execute(text(f"DROP TABLE IF EXISTS {model.relation} CASCADE"))
        connection.execute(text(f"CREATE TABLE {model.relation} AS\n{query}\nLIMIT 0"), values)
    written = connection.execute(text(f"INSERT INTO {model.relation} ({names})\n{query}"), values).rowcount
    connection.execute(text(f"ANALYZE {model.relation}"))
    return written


def _make_incremental(connection: Connection, model: Model, query: str, values: Values) -> int:
    """Bring the rows from `since` on to what the query says; rows that stay the same are not touched.

    The table is one that the migrations made.
    """
    header, names = model.header, ", ".join(model.header.columns)
    keys = ", ".join(header.unique_key)
    others = [name for name in header.columns if name not in header.unique_key]
    same_key = " AND ".join(f"incoming.{key} = kept.{key}" for key in header.unique_key)
    connection.execute(text(f"CREATE TEMPORARY TABLE incoming (LIKE {model.relation}) ON COMMIT DROP"))
    connection.execute(text(f"INSERT INTO incoming ({names})\n{query}"), values)
    connection.execute(text("ANALYZE incoming"))
    removed = connection.execute(
        text(
            f"DELETE FROM {model.relation} AS kept"
            f" WHERE kept.{header.cut_by} >= coalesce(CAST(:since AS date), '-infinity')"
            f" AND NOT EXISTS (SELECT 1 FROM incoming WHERE {same_key})"
        ),
        {"since": values["since"]},
    ).rowcount
    written = connection.execute(
        text(
            f"INSERT INTO {model.relation} AS kept ({names}) SELECT {names} FROM incoming"
            f" ON CONFLICT ({keys}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}"
            f" WHERE ({', '.join(f'kept.{name}' for name in others)})"
            f" IS DISTINCT FROM ({', '.join(f'excluded.{name}' for name in others)})"
        )
    ).rowcount
    connection.execute(text("DROP TABLE incoming"))
    connection.execute(text(f"ANALYZE {model.relation}"))
    return removed + written


MAKE: Mapping[str, Callable[[Connection, Model, str, Values], int]] = {
    "view": _make_view,
    "table": _make_table,
    "incremental": _make_incremental,
}


def _schema(model: Model) -> str:
    return model.relation.split(".")[0]


def _columns(connection: Connection, model: Model) -> list[str]:
    """The columns that the relation has in the database; none: it is not there."""
    statement = text(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = :schema AND table_name = :name ORDER BY ordinal_position"
    )
    return list(connection.scalars(statement, {"schema": _schema(model), "name": model.name}))
