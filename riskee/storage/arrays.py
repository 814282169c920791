"""Reading rows of long arrays: the binary form of COPY, without a Python object for a number."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from psycopg import sql
from sqlalchemy import Connection

from riskee.market.bars import Floats
from riskee.storage.database import driver_of

# The binary form: a head of 19 bytes, rows, a trailer of two bytes. Before a row's first element are the number of
# its fields, its key, and of the first array the length, the dimensions, flags and type; then its own length.
_HEAD = 19
_LENGTH_AT = 2 + 12 + 4 + 12
_LENGTH = np.dtype(">i4")


@cache
def _row(arrays: int, length: int) -> np.dtype[np.void]:
    element = np.dtype([("size", ">i4"), ("value", ">f8")])
    array = np.dtype([("head", "V24"), ("elements", element, length)])
    return np.dtype([("fields", ">i2"), ("key_size", ">i4"), ("key", ">f8"), ("arrays", array, arrays)])


def read_arrays(connection: Connection, query: sql.Composable, arrays: int) -> Iterator[tuple[int, Floats]]:
    """The rows of a query for a number and then `arrays` arrays of float8, which have one length within a row and no
    NULL: the number, and the arrays as (arrays, length)."""
    driver = driver_of(connection)
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        data = b"".join(copy)
    place = _HEAD
    while place + _LENGTH_AT < len(data):
        length = int(np.frombuffer(data, _LENGTH, 1, place + _LENGTH_AT)[0])
        kind = _row(arrays, length)
        row = np.frombuffer(data, kind, 1, place)[0]
        yield int(row["key"]), row["arrays"]["elements"]["value"].astype(np.float64)
        place += kind.itemsize
