"""The embedded PostgreSQL: its cluster, configuration and databases."""

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from infra.embedded.files import Home, write_failed, write_private
from infra.embedded.identity import Identity, postgres_identity
from riskee.errors import FatalError

DATABASES = ("riskee", "dagster")
SUPERUSER = "postgres"
ORPHAN_SECONDS = 20.0

# Sized for a laptop that runs everything else too. TCP on the loopback only: a socket's path may get too long.
CONFIGURATION = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = 128MB
work_mem = 8MB
maintenance_work_mem = 64MB
effective_cache_size = 1GB
wal_compression = pglz
max_wal_size = 1GB
min_wal_size = 80MB
random_page_cost = 1.1
jit = off
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] %d '
"""
LOG_CONFIGURATION = """\
archive_mode = on
archive_library = 'basic_archive'
archive_timeout = 60
"""


class Postgres:
    """One cluster below `home.data`. Nothing here keeps state: every answer comes from the files."""

    def __init__(self, home: Home, bin_folder: Path, *, keeps_log: bool = False) -> None:
        self._home = home
        self._bin = bin_folder
        self._keeps_log = keeps_log
        self.data = home.data / "postgres"
        self.log_folder = home.data / "wal"

    def identity(self) -> Identity:
        """Whom the server must run as. Raises FatalError when root has nobody to run it as."""
        return postgres_identity(self.data, self._home.data, self._bin / "postgres")

    def prepare(self, identity: Identity, password: str) -> None:
        """Make the cluster if there is none, write its configuration, clear what a crash left.

        Raises FatalError when it cannot be made.
        """
        if not self.data.exists():
            self._initialise(identity, password)
        configuration = self.data / "postgresql.conf"
        write_private(configuration, CONFIGURATION + (self._log_configuration(identity) if self._keeps_log else ""))
        identity.own(configuration)
        self._clear_stale_pid()

    def command(self, identity: Identity, port: int) -> tuple[str, ...]:
        """What the supervisor starts."""
        return (*identity.prefix, str(self._bin / "postgres"), "-D", str(self.data), "-p", str(port))

    def _log_configuration(self, identity: Identity) -> str:
        """Each full segment of the log, and each minute's, goes to a folder, from which backups take it."""
        self.log_folder.mkdir(mode=0o700, exist_ok=True)
        identity.own(self.log_folder)
        folder = str(self.log_folder).replace("'", "''")
        return f"{LOG_CONFIGURATION}basic_archive.archive_directory = '{folder}'\n"

    def _initialise(self, identity: Identity, password: str) -> None:
        """Make the cluster aside and move it into place, so that an interrupted initdb leaves nothing half done."""
        making = self._home.data / "postgres.making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        identity.own(making)
        password_file = self._home.data / "postgres.password"
        write_private(password_file, password)
        identity.own(password_file)
        command = [
            *identity.prefix, str(self._bin / "initdb"), "--pgdata", str(making), "--username", SUPERUSER,
            "--pwfile", str(password_file), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C",
            "--no-sync", "--no-instructions",
        ]  # fmt: skip
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, env=plain_environment())
        finally:
            password_file.unlink()
        if done.returncode != 0:
            shutil.rmtree(making, ignore_errors=True)
            raise _initdb_failed(self._home.data, done.stderr)
        try:
            making.rename(self.data)
        except OSError as error:
            raise write_failed(self.data, error) from error

    def _clear_stale_pid(self) -> None:
        """Stop an orphaned server of this cluster, and remove the pid file of a dead one.

        PostgreSQL trusts the file when any process has that pid, which after a reboot is often another program.
        """
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text().split("\n", 1)[0])
        if not self._is_our_server(pid):
            pid_file.unlink()
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + ORPHAN_SECONDS
        while self._is_our_server(pid):
            if time.monotonic() > deadline:
                raise FatalError(f"a left-over PostgreSQL (pid {pid}) does not stop", f"kill {pid} and try again")
            time.sleep(0.05)

    def _is_our_server(self, pid: int) -> bool:
        try:
            working_folder = Path(f"/proc/{pid}/cwd").resolve(strict=True)
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return False
        return name == "postgres" and working_folder == self.data.resolve()


def _initdb_failed(folder: Path, output: str) -> FatalError:
    if "No space left on device" in output or "Check free disk space" in output:
        return write_failed(folder, OSError(errno.ENOSPC, ""))
    lines = [line for line in output.splitlines() if "error" in line or "FATAL" in line] or output.splitlines()[-1:]
    return FatalError(f"PostgreSQL's initdb failed: {'; '.join(lines)}", f"check the owner and mode of {folder}")


def plain_environment() -> dict[str, str]:
    """The environment without PG* variables, which PostgreSQL's programs obey."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def keeps_log(environ: Mapping[str, str]) -> bool:
    """Whether the settings ask to keep the log. A value that is none is left for the settings to refuse."""
    return environ.get("RISKEE_BACKUP__WAL_ARCHIVE", "").strip().lower() in {"1", "true", "t", "yes", "y", "on"}


def connection_url(port: int, password: str, database: str) -> str:
    """A libpq address."""
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}"


def ensure_databases(port: int, password: str, databases: Iterable[str] = DATABASES) -> None:
    """Create the databases that are missing."""
    with psycopg.connect(connection_url(port, password, "postgres"), autocommit=True, connect_timeout=5) as connection:
        existing = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for database in databases:
            if database not in existing:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
