"""All models in the order in which they can run, and their tests, known without a database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from dbt_like_sql.errors import ModelError
from dbt_like_sql.header import line_of
from dbt_like_sql.model import CustomTest, Model, read_model, read_test
from riskee.storage.tables import metadata

MODELS = Path(__file__).parent / "models"
# Sources of which the runner can tell what has changed: every row says when it was recorded, and stays.
WATCHED = frozenset({"bars", "market_data"})
_BARS_COLUMNS = (*(column.name for column in metadata.tables["market_data"].columns), "session_date")


@dataclass(frozen=True)
class Graph:
    """The models, each after those that it refers to, and the tests in files of their own."""

    models: tuple[Model, ...]
    tests: tuple[CustomTest, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Model]:
        return {model.name: model for model in self.models}

    @cached_property
    def relations(self) -> dict[str, str]:
        """What `ref` and `source` of each name stand for."""
        sources = {name: f"public.{name}" for name in source_columns()}
        return sources | {model.name: model.relation for model in self.models}

    @cached_property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of every model and source."""
        return source_columns() | {model.name: tuple(model.header.columns) for model in self.models}

    @cached_property
    def tests_of(self) -> Mapping[str, tuple[CustomTest, ...]]:
        """Tests by the model with whose run they belong: the last that they refer to."""
        found: dict[str, list[CustomTest]] = {}
        for test in self.tests:
            last = next(model.name for model in reversed(self.models) if model.name in test.query.refs)
            found.setdefault(last, []).append(test)
        return {name: tuple(tests) for name, tests in found.items()}

    def select(self, names: Iterable[str] | None) -> tuple[Model, ...]:
        """The models of these names in running order; all of them for None. Raises KeyError for an unknown name."""
        if names is None:
            return self.models
        wanted = {self.by_name[name].name for name in names}
        return tuple(model for model in self.models if model.name in wanted)

    def views_below(self, model: Model) -> tuple[Model, ...]:
        """The views that the model reads, directly or through views: their rows are computed with its own."""
        direct = [self.by_name[name] for name in model.refs if self.by_name[name].header.materialized == "view"]
        below = {view.name: view for one in direct for view in (one, *self.views_below(one))}
        return tuple(below.values())

    def inputs(self, model: Model) -> frozenset[str]:
        """The tables that the model's rows are computed from: views are looked through."""
        readers = (model, *self.views_below(model))
        named = {name for reader in readers for name in (*reader.refs, *reader.sources)}
        return frozenset(named - {view.name for view in readers})

    def readers(self, model: Model) -> tuple[Model, ...]:
        """The incremental models that are computed from this one's rows."""
        incremental = (one for one in self.models if one.header.materialized == "incremental")
        return tuple(one for one in incremental if model.name in self.inputs(one))


def source_columns() -> dict[str, tuple[str, ...]]:
    """Every table of the product, and the view of the latest bars, with its columns."""
    tables = {name: tuple(column.name for column in table.columns) for name, table in metadata.tables.items()}
    return tables | {"bars": _BARS_COLUMNS}


def graph(folder: Path = MODELS) -> Graph:
    """Read every model below `folder`, and the tests in the folder `tests` beside it.

    Raises ModelError for an unknown reference, a duplicate name or a cycle.
    """
    models: dict[str, Model] = {}
    for path in sorted(folder.rglob("*.sql")):
        model = read_model(path)
        if model.name in models:
            line = line_of(model.text, "name")
            raise ModelError(path, line, f"the name {model.name} is taken by {models[model.name].path}")
        _check_name(model)
        models[model.name] = model
    for model in models.values():
        _check_calls(model, models)
        _check_relationships(model)
    made = Graph(_ordered(models), tuple(_tests(models, folder.parent / "tests")))
    for model in made.models:
        _check_inputs(model, made)
    return made


def _check_name(model: Model) -> None:
    """A model's name is not that of a source, but where it fills a table of the product: `schema: public`."""
    fills = model.name in metadata.tables and model.header.materialized != "view"
    if model.schema == "public" and not fills:
        remedy = "it takes a table that the migrations make, and no view"
        raise ModelError(model.path, line_of(model.text, "schema"), f"public.{model.name} is not to be filled", remedy)
    if model.schema != "public" and model.name in source_columns():
        line = line_of(model.text, "name")
        raise ModelError(model.path, line, f"the name {model.name} is taken by the source", "choose another")


def _tests(models: Mapping[str, Model], folder: Path) -> Iterable[CustomTest]:
    for path in sorted(folder.glob("*.sql")):
        test = read_test(path)
        _check_calls(test, models)
        yield test


def _ordered(models: Mapping[str, Model]) -> tuple[Model, ...]:
    try:
        order = TopologicalSorter({name: model.refs for name, model in models.items()}).static_order()
        return tuple(models[name] for name in order)
    except CycleError as error:
        circle = error.args[1]
        first = models[circle[0]]
        line = next(call.line for call in first.query.calls if call.target in circle)
        raise ModelError(first.path, line, f"the models refer to each other: {' → '.join(circle)}") from error


def _check_calls(file: Model | CustomTest, models: Mapping[str, Model]) -> None:
    for call in file.query.calls:
        known = models if call.kind == "ref" else source_columns()
        if call.target not in known:
            nearest = ", ".join(sorted(known))
            raise ModelError(file.path, call.line, f"unknown {call.kind} {call.target!r}", f"known: {nearest}")


def _check_relationships(model: Model) -> None:
    for name, column in model.header.columns.items():
        if column.relationship and column.relationship.partition(".")[0] not in (*model.refs, *model.sources):
            line = line_of(model.text, "columns", name)
            raise ModelError(model.path, line, f"{name} has a relationship to {column.relationship}, which is not read")


def _check_inputs(model: Model, graph: Graph) -> None:
    """An incremental model computes what changed only: something must tell what did."""
    if model.header.materialized != "incremental":
        return
    for name in sorted(graph.inputs(model) - graph.by_name.keys() - WATCHED):
        line = next((call.line for call in model.query.calls if call.target == name), 1)
        remedy = f"read it through a model that is a table; known of: {', '.join(sorted(WATCHED))}"
        raise ModelError(model.path, line, f"nothing tells what changed in {name}", remedy)
