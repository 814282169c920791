"""Running the tests alone, on the rows as they are."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from dbt_like_sql.checks import checks_of, wrong_rows
from dbt_like_sql.graph import Graph, graph
from riskee.storage.database import database_errors


@dataclass(frozen=True)
class TestRun:
    """What one test of a model found; `wrong` rows broke it."""

    # Not a class of tests, whatever its name begins with.
    __test__ = False

    model: str
    test: str
    description: str
    wrong: int
    # Wrong rows are told, and are no failure.
    warn: bool = False


def run_tests(
    engine: Engine,
    parameters: Mapping[str, Any],
    select: Iterable[str] | None = None,
    on_model: Callable[[str], None] | None = None,
    models: Graph | None = None,
) -> list[TestRun]:
    """Run the tests of the selected models (all: None) on every row that these hold; nothing is changed.

    Raises KeyError for an unknown model, RetryableError when the database does not answer or a model never ran.
    """
    models = models or graph()
    found = []
    for model in models.select(select):
        checks = checks_of(model, models)
        with database_errors(), engine.connect() as connection:
            wrong = wrong_rows(connection, checks, model.relation, {**parameters, "since": None, "until": None})
        found += [TestRun(model.name, check.name, check.description, wrong[check.name], check.warn) for check in checks]
        if on_model is not None:
            on_model(model.name)
    return found
