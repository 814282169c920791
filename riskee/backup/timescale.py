"""What TimescaleDB asks of a restore: its own version again, and to be told before and after.

Its catalogue says which tables are hypertables and where their chunks are. While that is written by rows, nothing of it
may act on them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql

from riskee.backup.postgres import PostgresServer
from riskee.errors import FatalError

EXTENSION = "timescaledb"
_NONE = ""


@dataclass(frozen=True)
class Timescale:
    """TimescaleDB in a database."""

    version: str
    schema: str


def timescale_of(server: PostgresServer, database: str) -> Timescale | None:
    """What of it is installed in a database, which need not be what could be."""
    with server.connect(database) as connection:
        found = connection.execute(
            "SELECT extversion, nspname FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace"
            " WHERE extname = %s",
            (EXTENSION,),
        ).fetchone()
    return None if found is None else Timescale(str(found[0]), str(found[1]))


def version_of(server: PostgresServer, database: str) -> str:
    """The version in a database; "" where it is plain PostgreSQL."""
    found = timescale_of(server, database)
    return _NONE if found is None else found.version


def require_version(server: PostgresServer, database: str, saved: str | None) -> None:
    """Raises FatalError for a database that cannot take a dump of one with the version `saved`; None is not known."""
    here = version_of(server, database)
    if saved is None or here == saved:
        return
    if saved == _NONE:
        raise FatalError(
            f"the dump is of plain PostgreSQL, and the database {database} has TimescaleDB {here}: its tables would "
            "not become hypertables",
            "`DROP EXTENSION timescaledb` in it: the product goes on with partitions",
        )
    raise FatalError(
        f"the dump is of TimescaleDB {saved}, and the database {database} has {here or 'none'}",
        f"`CREATE EXTENSION timescaledb VERSION '{saved}'` in a new database, and `ALTER EXTENSION timescaledb UPDATE` "
        "after the restore",
    )


@contextmanager
def restoring(server: PostgresServer, database: str) -> Iterator[None]:
    """TimescaleDB, where it is, stands back for the time of the block, in every session that begins meanwhile.

    Where the process was killed it still does: `SELECT timescaledb_post_restore()` ends that.
    """
    found = timescale_of(server, database)
    if found is None:
        yield
        return
    _call(server, database, sql.Identifier(found.schema, "timescaledb_pre_restore"))
    try:
        yield
    finally:
        _call(server, database, sql.Identifier(found.schema, "timescaledb_post_restore"))


def _call(server: PostgresServer, database: str, function: sql.Identifier) -> None:
    with server.connect(database) as connection:
        connection.execute(sql.SQL("SELECT {}()").format(function))
