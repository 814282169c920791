"""Reading millions of numbers at once: the binary form of COPY, straight into an array."""

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Connection

from riskee.storage.database import driver_of

# The binary form: a head of 19 bytes, rows of length-prefixed fields, a trailer of two bytes.
_HEAD, _TRAILER = 19, 2


def read_columns(connection: Connection, query: sql.Composable, columns: int) -> NDArray[np.float64]:
    """The rows of a query whose `columns` columns are numbers, as (rows, columns); NULL is NaN."""
    names = [sql.Identifier(f"c{number}") for number in range(columns)]
    numbers = sql.SQL(", ").join(sql.SQL("coalesce(CAST({} AS float8), 'NaN')").format(name) for name in names)
    statement = sql.SQL("COPY (SELECT {} FROM ({}) AS rows ({})) TO STDOUT (FORMAT binary)").format(
        numbers, query, sql.SQL(", ").join(names)
    )
    driver = driver_of(connection)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        data = b"".join(copy)
    row = np.dtype([("fields", ">i2"), ("values", [("length", ">i4"), ("value", ">f8")], columns)])
    rows = np.frombuffer(data, row, offset=_HEAD, count=(len(data) - _HEAD - _TRAILER) // row.itemsize)
    return rows["values"]["value"].astype(np.float64)
