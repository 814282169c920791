"""What a model's header and the test files promise of its rows. All names come from model files."""
# ruff: noqa: S608

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from dbt_like_sql.errors import sql_errors
from dbt_like_sql.graph import Graph
from dbt_like_sql.header import Column
from dbt_like_sql.model import Model


@dataclass(frozen=True)
class Check:
    """One test of a model's rows. It is a condition of one row that is wrong, or else a query that counts such rows.

    The query names the rows {rows}; with `after` it looks at the relations as the run leaves them. Rows that break it
    are not kept or, where it only warns, are kept and told.
    """

    name: str
    description: str
    path: Path
    wrong: str | None = None
    count: str | None = None
    after: bool = False
    warn: bool = False


def checks_of(model: Model, models: Graph) -> tuple[Check, ...]:
    """Every test of a model: of its key, of its columns, of its size, and those in files of their own."""
    return (*_own(model, models), *_custom(model, models))


def _own(model: Model, models: Graph) -> Iterator[Check]:
    header = model.header
    if header.unique_key:
        keys = ", ".join(header.unique_key)
        query = f"SELECT count(*) FROM (SELECT 1 FROM {{rows}} GROUP BY {keys} HAVING count(*) > 1) AS repeated"
        yield Check("unique_" + "_".join(header.unique_key), f"No two rows share {keys}.", model.path, count=query)
    for name, column in header.columns.items():
        yield from _of_column(model.path, name, column, models)
    if header.minimum_rows:
        least = header.minimum_rows
        query = f"SELECT greatest({least} - count(*), 0) FROM {model.relation}"
        description = f"There are at least {least} rows (counted: those that lack)."
        yield Check("minimum_rows", description, model.path, count=query, after=True)


def _of_column(path: Path, name: str, column: Column, models: Graph) -> Iterator[Check]:
    if column.not_null:
        yield Check(f"not_null_{name}", f"{name} is never missing.", path, wrong=f"{name} IS NULL")
    if column.range is not None:
        low, high = column.range
        # PostgreSQL orders NaN above infinity: it is outside of every range. A missing value is outside of none.
        bounds = f"'{-math.inf if low is None else low}' AND '{math.inf if high is None else high}'"
        wrong = f"CAST({name} AS double precision) NOT BETWEEN {bounds}"
        told = f"{name} lies in [{low}, {high}]" + (" (a warning)." if column.warn else ".")
        yield Check(f"range_{name}", told, path, wrong=wrong, warn=column.warn)
    if column.accepted_values:
        literals = ", ".join("'" + value.replace("'", "''") + "'" for value in column.accepted_values)
        told = ", ".join(column.accepted_values)
        wrong = f"CAST({name} AS text) NOT IN ({literals})"
        yield Check(f"accepted_values_{name}", f"{name} is one of: {told}.", path, wrong=wrong)
    if column.relationship:
        target, _, other = column.relationship.partition(".")
        known = f"SELECT 1 FROM {models.relations[target]} AS known WHERE known.{other} = rows.{name}"
        query = f"SELECT count(*) FROM {{rows}} AS rows WHERE {name} IS NOT NULL AND NOT EXISTS ({known})"
        yield Check(f"relationship_{name}", f"Every {name} is one of {column.relationship}.", path, count=query)


def _custom(model: Model, models: Graph) -> Iterator[Check]:
    for test in models.tests_of.get(model.name, ()):
        query = f"SELECT count(*) FROM ({test.compiled(models.relations)}\n) AS wrong"
        yield Check(test.name, test.header.description, test.path, count=query, after=True)


def wrong_rows(connection: Connection, checks: Iterable[Check], rows: str, values: Mapping[str, Any]) -> dict[str, int]:
    """How many rows of the relation `rows` break each of the tests."""
    checks = tuple(checks)
    single = [check for check in checks if check.wrong]
    found: dict[str, int] = {}
    if single:
        counts = ", ".join(f"count(*) FILTER (WHERE {check.wrong})" for check in single)
        row = connection.execute(text(f"SELECT {counts} FROM {rows}")).one()
        found = {check.name: count for check, count in zip(single, row, strict=True)}
    for check in checks:
        if check.count:
            statement = text(check.count.replace("{rows}", rows))
            with sql_errors(check.path):
                found[check.name] = connection.scalar(statement, values) or 0
    return found
