"""Which columns a model's columns are computed from, as far as sqlglot can follow them."""

from collections.abc import Iterable, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.lineage import Node, lineage

from dbt_like_sql.graph import Graph
from dbt_like_sql.model import Model

Origins = tuple[tuple[str, str], ...]
"""Columns as (model or source, column), in order."""


def column_lineage(model: Model, models: Graph) -> dict[str, Origins]:
    """The columns of models and sources that each column's value comes from.

    A column is left out where nothing is found: a constant, a count of rows, or the value of a subquery or of LATERAL,
    into which sqlglot does not look. Columns that only choose rows (in WHERE, ON, GROUP BY) are no origins.
    """
    query = sqlglot.parse_one(model.text, dialect=Postgres)
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Anonymous):
            table.set("this", exp.to_identifier(table.this.expressions[0].name))
    # Types do not matter: only which table has which column.
    schema: dict[str, object] = {
        name: dict.fromkeys(models.columns[name], "text") for name in (*model.refs, *model.sources)
    }
    nodes = lineage(None, query, schema, dialect=Postgres, validate_qualify_columns=False)
    found = {name: _origins(_leaves(nodes[name])) for name in model.header.columns}
    return {name: origins for name, origins in found.items() if origins}


def _leaves(node: Node) -> Iterator[Node]:
    """The tables below a column. Below LATERAL sqlglot names the outer tables, of which the value is not made."""
    if isinstance(node.expression, exp.Table):
        yield node
    if not isinstance(node.expression, exp.Lateral):
        for below in node.downstream:
            yield from _leaves(below)


def _origins(leaves: Iterable[Node]) -> Origins:
    return tuple(sorted({(leaf.expression.name, leaf.name.rpartition(".")[2]) for leaf in leaves}))
