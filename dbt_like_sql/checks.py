"""What a model's header promises of its rows, looked up in one scan. All names come from model files."""
# ruff: noqa: S608

import math

from sqlalchemy import Connection, text

from dbt_like_sql.errors import CheckError
from dbt_like_sql.model import Model


def verify(connection: Connection, model: Model) -> int:
    """Run the checks of a model and answer how many there were. Raises CheckError naming each one that fails."""
    conditions = _conditions(model)
    if conditions:
        counts = ", ".join(f"count(*) FILTER (WHERE {wrong})" for wrong in conditions.values())
        row = connection.execute(text(f"SELECT {counts} FROM {model.relation}")).one()
        failures = [f"{name} in {count} rows" for name, count in zip(conditions, row, strict=True) if count]
    else:
        failures = []
    failures += _repeated(connection, model)
    if failures:
        raise CheckError(
            f"model {model.name} breaks its checks: {'; '.join(failures)}",
            "its former rows were kept; mend the data or the model and run it again",
        )
    return len(conditions) + bool(model.header.unique_key)


def _conditions(model: Model) -> dict[str, str]:
    """What is wrong, by name, as SQL."""
    wrong = {}
    for name, column in model.header.columns.items():
        if column.not_null:
            wrong[f"{name} is missing"] = f"{name} IS NULL"
        if column.range is not None:
            low, high = column.range
            # PostgreSQL orders NaN above infinity: it is outside of every range. A missing value is outside of none.
            bounds = f"'{-math.inf if low is None else low}' AND '{math.inf if high is None else high}'"
            wrong[f"{name} outside [{low}, {high}]"] = f"CAST({name} AS double precision) NOT BETWEEN {bounds}"
    return wrong


def _repeated(connection: Connection, model: Model) -> list[str]:
    keys = ", ".join(model.header.unique_key)
    if not keys:
        return []
    statement = f"SELECT count(*) FROM (SELECT 1 FROM {model.relation} GROUP BY {keys} HAVING count(*) > 1) AS repeated"
    count = connection.scalar(text(statement))
    return [f"({keys}) repeated {count} times"] if count else []
