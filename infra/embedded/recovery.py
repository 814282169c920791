"""A restored PostgreSQL: made ready beside the one that is there, recovered to a moment, and then put in its place.

It is recovered by the server itself, which listens on a socket in a private folder only: nobody else reaches it before
it has this home's password.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from infra.embedded.files import Home, write_private
from infra.embedded.postgres import SUPERUSER, Postgres, plain_environment
from riskee.errors import FatalError

_POLL_SECONDS = 0.1
_STOP_SECONDS = 60.0
_ENDED_EARLY = "recovery ended before configured recovery target was reached"


@dataclass(frozen=True)
class Recovered:
    """When the last transaction was made that came from the log (None: none did), and the timeline that is begun."""

    last_transaction: datetime | None
    timeline: int


class Recovery:
    """A cluster on its way back. `folder` takes the files of the backup, `log` those of its log."""

    def __init__(self, home: Home, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._postgres = Postgres(home, bin_folder)
        self._identity = self._postgres.identity()
        self.folder = home.data / "postgres.restoring"
        self.log = home.data / "wal.restoring"

    def begin(self) -> None:
        """Make empty folders, in place of what an interrupted restore has left."""
        self.discard()
        for folder in (self.folder, self.log):
            folder.mkdir(mode=0o700)

    def discard(self) -> None:
        """Remove what was made ready."""
        for folder in (self.folder, self.log):
            shutil.rmtree(folder, ignore_errors=True)

    def check(self) -> None:
        """Compare every file with the manifest that PostgreSQL put into the backup. Raises FatalError."""
        self._own(self.folder)
        self._own(self.log)
        command = [*self._identity.prefix, str(self._bin / "pg_verifybackup"), "--quiet", str(self.folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=plain_environment())
        if done.returncode != 0:
            raise FatalError(
                f"the restored database is not what was saved: {_first_line(done.stderr)}",
                "restore from another backup",
            )

    def recover(self, at: datetime | None, timeline: int | None, password: str) -> Recovered:
        """Recover to a moment, or as far as the log of a timeline (the latest, if None) goes; give the cluster this
        home's password; stop it again.

        Raises FatalError.
        """
        with self._started(at, timeline) as connection:
            found = connection.execute(
                "SELECT pg_last_xact_replay_timestamp(), left(pg_walfile_name(pg_current_wal_lsn()), 8)"
            ).fetchone()
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(SUPERUSER), sql.Literal(password))
            connection.execute(statement)
        for left in ("recovery.signal", "backup_label.old", "tablespace_map.old"):
            (self.folder / left).unlink(missing_ok=True)
        assert found is not None  # noqa: S101 (a row without a table)
        return Recovered(None if found[0] is None else found[0].astimezone(UTC), int(found[1], 16))

    def put_in_place(self, replaced: Path) -> None:
        """Move the cluster where the stack looks for it; what was there goes into `replaced`."""
        log = self._postgres.log_folder
        for history in (self.folder / "pg_wal").glob("*.history"):
            # The archiver was off: without them a later restore could not tell the timelines' order.
            if log.exists() and not (log / history.name).exists():
                shutil.copy(history, log)
                self._identity.own(log / history.name)
        if self._postgres.data.exists():
            self._postgres.data.rename(replaced / "postgres")
        self.folder.rename(self._postgres.data)
        shutil.rmtree(self.log, ignore_errors=True)

    @contextmanager
    def _started(self, at: datetime | None, timeline: int | None) -> Iterator[psycopg.Connection]:
        """The server, once it has recovered."""
        # A short path: that of a socket may have 107 characters.
        with tempfile.TemporaryDirectory(prefix="riskee-") as folder, tempfile.TemporaryFile() as said:
            sockets = Path(folder)
            write_private(sockets / "hba.conf", "local all all trust\n")
            self._identity.own(sockets / "hba.conf")
            self._identity.own(sockets)
            command = [*self._identity.prefix, str(self._bin / "postgres"), "-D", str(self.folder)]
            command += [word for option in self._options(sockets, at, timeline) for word in ("-c", option)]
            with subprocess.Popen(command, stdout=said, stderr=said, env=plain_environment()) as process:
                try:
                    with self._connected(process, sockets) as connection:
                        yield connection
                except _DiedError as error:
                    said.seek(0)
                    raise _failed(said.read().decode(errors="replace"), at) from error
                finally:
                    _stop(process)

    def _options(self, sockets: Path, at: datetime | None, timeline: int | None) -> list[str]:
        options = [
            "listen_addresses=", f"unix_socket_directories={sockets}", f"hba_file={sockets / 'hba.conf'}",
            "archive_mode=off", "logging_collector=off", "log_destination=stderr",
        ]  # fmt: skip
        if not any(self.log.iterdir()):
            return options  # the files hold the log that makes them consistent, and there is no more
        (self.folder / "recovery.signal").touch(mode=0o600)
        self._identity.own(self.folder / "recovery.signal")
        options += [f'restore_command=cp "{self.log}/%f" "%p"', "recovery_target_action=promote"]
        options += [f"recovery_target_timeline={timeline or 'latest'}"]
        return (
            options if at is None else [*options, f"recovery_target_time={at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}"]
        )

    @contextmanager
    def _connected(self, process: subprocess.Popen[bytes], sockets: Path) -> Iterator[psycopg.Connection]:
        while True:
            try:
                connection = psycopg.connect(
                    host=str(sockets), user=SUPERUSER, dbname="postgres", autocommit=True, connect_timeout=5
                )
            except psycopg.OperationalError:  # not yet consistent
                connection = None
            if connection is not None:
                with connection:
                    if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                        yield connection
                        return
            if process.poll() is not None:
                raise _DiedError
            time.sleep(_POLL_SECONDS)

    def _own(self, folder: Path) -> None:
        self._identity.own(folder)
        for path, folders, files in os.walk(folder):
            for name in (*folders, *files):
                self._identity.own(Path(path) / name)


class _DiedError(Exception):
    """The server ended before it had recovered."""


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _failed(said: str, at: datetime | None) -> FatalError:
    if _ENDED_EARLY in said:
        return FatalError(
            f"the log that was kept ends before {at:%Y-%m-%d %H:%M:%S} UTC",
            "restore to an earlier moment, or without --at as far as it goes",
        )
    fatal = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line]
    return FatalError(
        f"the restored database does not recover: {fatal[-1] if fatal else said[-300:]}", "restore from another backup"
    )


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "no reason given")
