"""What each incremental model has seen, kept in the database with its rows: so a run computes what changed since."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from dbt_like_sql.graph import WATCHED, Graph
from dbt_like_sql.model import Model
from dbt_like_sql.work import ALL, BEGINNING, Changes, merged
from riskee.storage.database import database_errors
from riskee.storage.tables import sql_model_changes, sql_model_state

# A ticker's versions of bars by count and newest moment. Where the count is not the former one and the newer ones,
# a version was stored under an older moment, or bars are gone: then all of the ticker counts as changed.
_BARS = text("""
    WITH seen AS (
        SELECT key AS ticker, CAST(value ->> 0 AS bigint) AS versions, CAST(value ->> 1 AS timestamptz) AS newest
        FROM jsonb_each(CAST(:seen AS jsonb))
    ),
    stored AS (
        SELECT
            bar.ticker,
            count(*) AS versions,
            max(bar.recorded_at) AS newest,
            count(*) FILTER (WHERE bar.recorded_at > seen.newest) AS newer,
            min(bar."timestamp") FILTER (WHERE bar.recorded_at > seen.newest) AS since
        FROM market_data AS bar
        LEFT JOIN seen ON seen.ticker = bar.ticker
        WHERE bar.resolution = '1d'
        GROUP BY bar.ticker
    )
    SELECT
        ticker,
        stored.versions,
        CAST(stored.newest AS text) AS newest,
        stored.versions IS DISTINCT FROM seen.versions OR stored.newer > 0 AS changed,
        CASE
            WHEN stored.versions = seen.versions + stored.newer
                THEN CAST(stored.since AT TIME ZONE 'UTC' AS date)
        END AS since
    FROM stored
    FULL JOIN seen USING (ticker)
""")


@dataclass(frozen=True)
class State:
    """What a run begins with: whether the rows are those of this model at all, and what has changed since."""

    fresh: bool
    changes: Changes
    # What the run will have seen, to be kept with its rows.
    seen: Mapping[str, tuple[int, str]]


def digest(model: Model, models: Graph, parameters: Mapping[str, Any]) -> str:
    """Changes with the model, with a view that it reads, and with the value of a parameter of either."""
    files = (model, *sorted(models.views_below(model), key=lambda view: view.name))
    names = sorted(set().union(*(file.parameters for file in files)) - {"since", "until"})
    values = {name: str(parameters[name]) for name in names}
    return hashlib.sha256(json.dumps([[file.sha256 for file in files], values]).encode()).hexdigest()


def begin(connection: Connection, model: Model, models: Graph, sha256: str) -> State:
    """Take what changed upstream since the model's last run. It is given back when the transaction is."""
    table = sql_model_state
    former = connection.execute(
        select(table.c.sha256, table.c.seen).where(table.c.model == model.relation)
    ).one_or_none()
    queue = sql_model_changes
    taken = connection.execute(
        delete(queue).where(queue.c.model == model.relation).returning(queue.c.slice, queue.c.since)
    )
    changes = {row.slice: row.since for row in taken}
    seen: dict[str, tuple[int, str]] = {}
    if WATCHED & models.inputs(model):
        bars, seen = _bars(connection, former.seen if former else {})
        changes = merged(changes, bars)
    if changes and not model.header.split_by:
        changes = {ALL: min(changes.values())}
    return State(former is not None and former.sha256 == sha256, changes, seen)


def _bars(connection: Connection, seen: Mapping[str, Any]) -> tuple[Changes, dict[str, tuple[int, str]]]:
    rows = connection.execute(_BARS, {"seen": json.dumps(seen)}).all()
    changes = {row.ticker: row.since or BEGINNING for row in rows if row.changed}
    return changes, {row.ticker: (row.versions, row.newest) for row in rows if row.versions}


def finish(connection: Connection, model: Model, sha256: str, seen: Mapping[str, tuple[int, str]]) -> None:
    """Keep what the run has seen, in the transaction that keeps its rows."""
    values = {"sha256": sha256, "seen": dict(seen), "ran_at": func.now()}
    statement = insert(sql_model_state).values(model=model.relation, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["model"], set_=values))


def tell(connection: Connection, model: Model, models: Graph, changes: Changes) -> None:
    """Leave word of changed rows for the incremental models that are computed from them."""
    for reader in models.readers(model):
        same = model.header.split_by == reader.header.split_by
        told = changes if same or not changes else {ALL: min(changes.values())}
        if not told:
            continue
        rows = [{"model": reader.relation, "slice": key, "since": day} for key, day in sorted(told.items())]
        statement = insert(sql_model_changes)
        earlier = func.least(sql_model_changes.c.since, statement.excluded.since)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["model", "slice"], set_={"since": earlier}), rows
        )


def stored_state(engine: Engine, model: Model) -> tuple[int, datetime | None]:
    """How many rows the model's relation has, and when it last ran, where that is kept.

    Raises RetryableError when the database does not answer or the model never ran.
    """
    table = sql_model_state
    with database_errors(), engine.connect() as connection:
        rows = connection.scalar(text(f"SELECT count(*) FROM {model.relation}"))  # noqa: S608 (a model's name)
        ran_at = connection.scalar(select(table.c.ran_at).where(table.c.model == model.relation))
    return rows or 0, ran_at
