"""Writes docs/models.md from the model files, so that the page cannot disagree with them.

`riskee sql docs > docs/models.md`; a test compares the two.
"""

from collections.abc import Iterable, Iterator

from dbt_like_sql.checks import checks_of
from dbt_like_sql.graph import Graph, graph
from dbt_like_sql.lineage import column_lineage
from dbt_like_sql.model import Model

_SHAPES = {"view": '(["{0}"])', "table": '["{0}"]', "incremental": '[["{0}"]]'}


def render(models: Graph | None = None) -> str:
    """The page: the graph, then each model with its columns, tests and SQL."""
    models = models or graph()
    head = "# SQL models\n\nGenerated from `dbt_like_sql/models` by `make docs`; do not edit.\n"
    return "\n".join((head, *_graph(models), *(line for model in models.models for line in _model(model, models))))


def _graph(models: Graph) -> Iterator[str]:
    yield "```mermaid\nflowchart LR"
    sources = sorted({name for model in models.models for name in model.sources})
    for name in sources:
        yield f'    source_{name}[("{name}")]'
    for model in models.models:
        yield f"    {model.name}{_SHAPES[model.header.materialized].format(model.name)}"
    for model in models.models:
        for name in model.sources:
            yield f"    source_{name} --> {model.name}"
        for name in model.refs:
            yield f"    {name} --> {model.name}"
    yield "```\n"
    yield "Round: a view. Square: a table. Double sides: incremental. A drum: a table that other code fills.\n"


def _model(model: Model, models: Graph) -> Iterator[str]:
    header = model.header
    yield f"## {model.name}\n"
    yield f"{header.description.strip()}\n"
    yield f"`{model.relation}`, {header.materialized}{_key(model)}. Reads {_listed((*model.refs, *model.sources))}.\n"
    yield from _columns(model, models)
    yield "Tests:\n"
    yield from (f"- `{check.name}`: {check.description}" for check in checks_of(model, models))
    yield f"\n<details><summary>SQL</summary>\n\n```sql\n{model.sql}\n```\n\n</details>\n"


def _key(model: Model) -> str:
    header = model.header
    told = f", one row for each {_listed(header.unique_key)}" if header.unique_key else ""
    if header.materialized == "incremental":
        told += f", computed anew from the earliest change of `{header.cut_by}` on"
        told += f" for each `{header.split_by}` apart" if header.split_by else ""
    return told


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _columns(model: Model, models: Graph) -> Iterator[str]:
    origins = column_lineage(model, models)
    yield "| column | unit | meaning | from |"
    yield "|---|---|---|---|"
    for name, column in model.header.columns.items():
        came = _listed(f"{table}.{other}" for table, other in origins.get(name, ()))
        cells = (f"`{name}`", column.unit, column.description, came)
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""
