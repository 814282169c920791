"""How the rows of a model get into the database. All names in these statements come from model files."""
# ruff: noqa: S608

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from dbt_like_sql.graph import Graph
from dbt_like_sql.model import Model
from dbt_like_sql.work import ALL, BEGINNING, EVERYTHING, Changes, Part, merged

Values = Mapping[str, Any]

INCOMING = "incoming"
# Of more slices than this the query reads all: looking each up takes longer.
_FEW = 50


@dataclass(frozen=True)
class Merged:
    """Rows written or removed, and where."""

    rows: int
    changes: Changes


def compute(connection: Connection, model: Model, models: Graph, values: Values, parts: tuple[Part, ...]) -> int:
    """Compute the rows of the parts into the temporary table INCOMING. Answers how many there are."""
    names = ", ".join(model.header.columns)
    connection.execute(text(f"CREATE TEMPORARY TABLE {INCOMING} (LIKE {model.relation}) ON COMMIT DROP"))
    computed = 0
    for part in parts:
        query = model.compiled(_sliced(models, model, part))
        # On one line with the query's first, so that a line in the database's error is the line in the file.
        statement = f"INSERT INTO {INCOMING} ({names}) SELECT {names} FROM ({query}\n) AS computed"
        if part != EVERYTHING[0]:
            statement += f" WHERE {_lies_in(model, 'computed')}"
        since = None if part.since == BEGINNING else part.since
        computed += connection.execute(text(statement), {**values, **_bounds(part), "since": since}).rowcount
    connection.execute(text(f"ANALYZE {INCOMING}"))
    return computed


def merge(connection: Connection, model: Model, parts: tuple[Part, ...]) -> Merged:
    """Bring the table's rows in the parts to those of INCOMING; rows that stay the same are not touched."""
    keys, names = model.header.unique_key, model.header.columns
    same_key = " AND ".join(f"incoming.{key} = kept.{key}" for key in keys)
    removed = f"DELETE FROM {model.relation} AS kept WHERE NOT EXISTS (SELECT 1 FROM {INCOMING} WHERE {same_key})"
    others = [name for name in names if name not in keys]
    change = (
        f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}"
        f" WHERE ({', '.join(f'kept.{name}' for name in others)})"
        f" IS DISTINCT FROM ({', '.join(f'excluded.{name}' for name in others)})"
    )
    listed = ", ".join(names)
    written = (
        f"INSERT INTO {model.relation} AS kept ({listed}) SELECT {listed} FROM {INCOMING}"
        f" ON CONFLICT ({', '.join(keys)}) DO {change if others else 'NOTHING'}"
    )
    done = Merged(0, {})
    for part in parts:
        bounds = "" if part == EVERYTHING[0] else f" AND {_lies_in(model, 'kept')}"
        done = _run_change(connection, model, removed + bounds, _bounds(part), done)
    done = _run_change(connection, model, written, {}, done)
    connection.execute(text(f"ANALYZE {model.relation}")) if done.rows else None
    return done


def exchange(connection: Connection, model: Model) -> Merged:
    """Put INCOMING in the place of a table's rows that have no key."""
    listed = ", ".join(model.header.columns)
    connection.execute(text(f"DELETE FROM {model.relation}"))
    statement = f"INSERT INTO {model.relation} ({listed}) SELECT {listed} FROM {INCOMING}"
    rows = connection.execute(text(statement)).rowcount
    connection.execute(text(f"ANALYZE {model.relation}"))
    return Merged(rows, {ALL: BEGINNING})


def _run_change(connection: Connection, model: Model, statement: str, values: Values, done: Merged) -> Merged:
    """Run a statement that writes or removes rows; add how many and where to `done`."""
    key, day = model.header.split_by, model.header.cut_by
    what = f"CAST(kept.{key} AS text)" if key else f"'{ALL}'"
    since = f"kept.{day}" if day else f"DATE '{BEGINNING:%Y-%m-%d}'"
    rows = connection.execute(
        text(
            f"WITH touched AS ({statement} RETURNING {what} AS slice, {since} AS since)"
            " SELECT slice, min(since) AS since, count(*) AS rows FROM touched GROUP BY slice"
        ),
        values,
    ).all()
    changes = {row.slice: row.since for row in rows}
    return Merged(done.rows + sum(row.rows for row in rows), merged(done.changes, changes))


def _sliced(models: Graph, model: Model, part: Part) -> Mapping[str, str]:
    """The relations as the query of a part reads them: only the rows of its keys, where these are few."""
    key = model.header.split_by
    if part.keys is None or key is None or len(part.keys) > _FEW:
        return models.relations
    rows = f"(SELECT * FROM {{}} WHERE {key} = ANY(CAST(:keys AS text[])))"
    return {
        name: rows.format(relation) if key in models.columns[name] else relation
        for name, relation in models.relations.items()
    }


def _lies_in(model: Model, rows: str) -> str:
    """The condition that a row lies in the part of the bounds."""
    key, day = model.header.split_by, model.header.cut_by
    within = f"{rows}.{day} BETWEEN CAST(:low AS date) AND CAST(:high AS date)"
    if key is None:
        return within
    mine = f"CAST({rows}.{key} AS text) = ANY(CAST(:keys AS text[]))"
    other = f"CAST({rows}.{key} AS text) = ANY(CAST(:without AS text[]))"
    return f"{within} AND (CAST(:keys AS text[]) IS NULL OR {mine}) AND NOT {other}"


def _bounds(part: Part) -> dict[str, date | list[str] | None]:
    keys = None if part.keys is None else list(part.keys)
    return {"low": part.since, "high": part.until, "keys": keys, "without": list(part.without)}
