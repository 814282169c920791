"""Running models: each in one transaction with its checks, so that rows which fail them are never seen."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from dbt_like_sql.checks import verify
from dbt_like_sql.errors import ModelError
from dbt_like_sql.graph import Graph, graph
from dbt_like_sql.materialize import MAKE, count_rows, prepare
from dbt_like_sql.model import Model
from riskee.storage.database import database_errors


@dataclass(frozen=True)
class ModelRun:
    """What running one model did. `rows` are those it holds (of a view: none), `changed` those written or removed."""

    name: str
    rows: int
    changed: int
    checks: int
    seconds: float


def run(
    engine: Engine,
    parameters: Mapping[str, Any],
    select: Iterable[str] | None = None,
    on_model: Callable[[ModelRun], None] | None = None,
    models: Graph | None = None,
) -> list[ModelRun]:
    """Run the selected models (all: None) in order and answer what each did.

    `parameters` are the values of the models' `:names`; `since` is the date from which incremental models are
    replaced (None: everything). Raises ModelError for a missing parameter, CheckError when a model's rows fail its
    checks (it and what follows keep their former rows), RetryableError when the database does not answer.
    """
    models = models or graph()
    chosen = models.select(select)
    for model in chosen:
        missing = model.parameters - parameters.keys()
        if missing:
            raise ModelError(model.path, 1, f"no value for :{', :'.join(sorted(missing))}")
    done = []
    for model in chosen:
        done.append(_run_model(engine, model, models.relations, parameters))
        if on_model is not None:
            on_model(done[-1])
    return done


def _run_model(engine: Engine, model: Model, relations: dict[str, str], parameters: Mapping[str, Any]) -> ModelRun:
    started = time.perf_counter()
    query = model.compiled(relations)
    values = {name: parameters[name] for name in model.parameters}
    with database_errors(), engine.begin() as connection:
        prepare(connection, model)
        changed = MAKE[model.header.materialized](connection, model, query, values)
        checks = verify(connection, model)
        rows = count_rows(connection, model)
    return ModelRun(model.name, rows, changed, checks, time.perf_counter() - started)
