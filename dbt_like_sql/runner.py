"""Running models: each in one transaction with its tests, so that rows which fail them are never seen."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Engine

from dbt_like_sql.errors import ModelError, sql_errors
from dbt_like_sql.graph import Graph, graph
from dbt_like_sql.model import Model
from dbt_like_sql.relations import count_rows, prepare
from dbt_like_sql.transaction import Transaction
from dbt_like_sql.work import Window
from riskee.settings import Settings
from riskee.storage.database import database_errors

# The runner's own; the other parameters are the caller's.
_WINDOW = frozenset({"since", "until"})


@dataclass(frozen=True)
class ModelRun:
    """What running one model did.

    `rows` are those it holds or shows, `computed` those that its query gave to be stored, `changed` those written or
    removed, `scope` says in words what was computed. `tests` counts the wrong rows of each test that was run: there are
    none where it does not only warn. Tests of computed rows are not run where nothing is computed.
    """

    name: str
    rows: int
    computed: int
    changed: int
    scope: str
    tests: Mapping[str, int]
    seconds: float


def parameters(settings: Settings) -> dict[str, str]:
    """The values of the parameters of the product's models."""
    return {"market_ticker": settings.model.market_ticker}


def run(  # noqa: PLR0913 (a window has two ends)
    engine: Engine,
    parameters: Mapping[str, Any],
    select: Iterable[str] | None = None,
    on_model: Callable[[ModelRun], None] | None = None,
    *,
    since: date | None = None,
    until: date | None = None,
    full: bool = False,
    models: Graph | None = None,
) -> list[ModelRun]:
    """Run the selected models (all: None) in order and answer what each did.

    A view or a table is made whole. An incremental model computes what changed since its last run: of the tickers
    whose bars or upstream rows did, the sessions from the earliest change on; everything where the model itself has
    changed or never ran, or with `full`. `since` and `until` (both included) name a window that is computed besides,
    changed or not: so no run, whatever its window, leaves rows behind that the data contradict.

    `parameters` are the values of the models' `:names`; `:since` and `:until` are given by the runner. Raises
    ModelError for a missing parameter, CheckError when a model's rows fail its tests (it and what follows keep their
    former rows), RetryableError when the database does not answer.
    """
    models = models or graph()
    chosen = models.select(select)
    for model in chosen:
        _require(model, models, parameters)
    done = []
    for model in chosen:
        done.append(_run_model(engine, Transaction(model, models, parameters, Window(since, until), full)))
        if on_model is not None:
            on_model(done[-1])
    return done


def _require(model: Model, models: Graph, parameters: Mapping[str, Any]) -> None:
    tests = models.tests_of.get(model.name, ())
    for path, query in ((model.path, model.query), *((test.path, test.query) for test in tests)):
        missing = query.parameters - parameters.keys() - _WINDOW
        if missing:
            raise ModelError(path, 1, f"no value for :{', :'.join(sorted(missing))}")


def _run_model(engine: Engine, work: Transaction) -> ModelRun:
    started = time.perf_counter()
    with database_errors(), engine.begin() as connection, sql_errors(work.model.path):
        prepare(connection, work.model)
        done = work.run(connection)
        rows = count_rows(connection, work.model)
    seconds = time.perf_counter() - started
    return ModelRun(work.model.name, rows, done.computed, done.changed, done.scope, done.tests, seconds)
