"""All models in the order in which they can run, known without a database."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from dbt_like_sql.errors import ModelError
from dbt_like_sql.model import Model, read_model
from riskee.storage.tables import metadata

MODELS = Path(__file__).parent / "models"
# Besides the tables, what the migrations make.
_VIEWS = ("bars",)


@dataclass(frozen=True)
class Graph:
    """The models, each after those that it refers to."""

    models: tuple[Model, ...]

    @cached_property
    def by_name(self) -> dict[str, Model]:
        return {model.name: model for model in self.models}

    @cached_property
    def relations(self) -> dict[str, str]:
        """What `ref` and `source` of each name stand for."""
        return {**_sources(), **{model.name: model.relation for model in self.models}}

    def select(self, names: Iterable[str] | None) -> tuple[Model, ...]:
        """The models of these names in running order; all of them for None. Raises KeyError for an unknown name."""
        if names is None:
            return self.models
        wanted = {self.by_name[name].name for name in names}
        return tuple(model for model in self.models if model.name in wanted)


def graph(folder: Path = MODELS) -> Graph:
    """Read every model below `folder`. Raises ModelError for an unknown reference, a duplicate name or a cycle."""
    models: dict[str, Model] = {}
    for path in sorted(folder.rglob("*.sql")):
        model = read_model(path)
        if model.name in models:
            raise ModelError(path, 1, f"the name {model.name} is taken by {models[model.name].path}")
        models[model.name] = model
    for model in models.values():
        _check_calls(model, models)
    try:
        order = list(TopologicalSorter({name: model.refs for name, model in models.items()}).static_order())
    except CycleError as error:
        circle = error.args[1]
        first = models[circle[0]]
        line = next(call.line for call in first.calls if call.target in circle)
        raise ModelError(first.path, line, f"the models refer to each other: {' → '.join(circle)}") from error
    return Graph(tuple(models[name] for name in order))


def _sources() -> dict[str, str]:
    return {name: f"public.{name}" for name in (*metadata.tables, *_VIEWS)}


def _check_calls(model: Model, models: dict[str, Model]) -> None:
    for call in model.calls:
        known = models if call.kind == "ref" else _sources()
        if call.target not in known:
            nearest = ", ".join(sorted(known))
            raise ModelError(model.path, call.line, f"unknown {call.kind} {call.target!r}", f"known: {nearest}")
