"""`riskee backup restore` of the embedded stack: all is made ready and checked beside what is there, then exchanged.

Until the exchange nothing is changed; if anything fails after it, what was there is put back.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from infra.embedded import binaries
from infra.embedded.credentials import load_credentials
from infra.embedded.files import Home
from infra.embedded.recovery import Recovery
from infra.embedded.stack import Stack
from riskee.backup import restoring
from riskee.backup.creating import Step, Telling
from riskee.backup.files import unpack
from riskee.backup.manifest import Manifest
from riskee.backup.postgres import PostgresServer
from riskee.backup.redis import place_rdb
from riskee.backup.repository import Repository
from riskee.backup.verifying import log_after, verify
from riskee.backup.wal import fetch, ship, wal_folder
from riskee.errors import FatalError
from riskee.settings import Settings

_FOLDERS = ("postgres", "nats", "redis", "qdrant")


@dataclass
class Restored:
    """What a restore did: the newest transaction from the log, the timeline that it began, the segment that was not
    kept and so ended the log ("" for none), seconds by step.
    """

    backup_id: str
    asked_for: datetime | None
    last_transaction: datetime | None = None
    timeline: int = 0
    wal_files: int = 0
    log_gap: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total_seconds(self) -> float:
        """From the first look at the backup to servers that hold its data."""
        return round(sum(self.seconds.values()), 2)


@dataclass(frozen=True)
class EmbeddedRestore:
    """A restore of one home. `settings` reads the settings anew, for a start of the servers may change them."""

    stack: Stack
    settings: Callable[[], Settings]
    repository: Repository
    step: Step

    def run(
        self, backup_id: str | None, at: datetime | None, *, overwrite: bool, timeline: int | None = None
    ) -> Restored:
        """Restore a backup, or the newest; to a moment where the log was kept, else as far as it goes, which is to a
        gap in it. Where restores before have made it fork, the log of a timeline is followed, or of the latest.

        Raises FatalError where the stack runs or there is data and not `overwrite`, and what is wrong with the backup;
        a gap in the log is where a moment or a timeline is asked for.
        """
        with self.stack.exclusive():
            home = Home(self.stack.home)
            self._require_free(home, overwrite=overwrite)
            ship(self.repository, wal_folder(self.settings()))
            manifest = restoring.choose(self.repository, backup_id, at)
            done = Restored(manifest.backup_id, at)
            with self._timed(done, "verify", f"Verifying {manifest.backup_id}") as telling:
                to_gap = at is None and timeline is None
                done.wal_files = verify(self.repository, manifest, telling, to_gap=to_gap).wal_files
                if at is not None and not done.wal_files:
                    raise FatalError(
                        "no log was kept with this backup, so it knows no moments",
                        "restore without --at; RISKEE_BACKUP__WAL_ARCHIVE=true keeps the log from now on",
                    )
            recovery = Recovery(home, binaries.postgres_folder())
            try:
                self._make_ready(recovery, home, manifest, done, timeline)
                self._exchange(recovery, home, manifest, done)
            finally:
                recovery.discard()
            return done

    def _require_free(self, home: Home, *, overwrite: bool) -> None:
        if self.stack.running:
            raise FatalError("the stack runs: a restore would take the data from under it", "stop it: `riskee down`")
        home.create()
        held = [name for name in _FOLDERS if _holds_data(home.data / name)]
        if held and not overwrite:
            raise FatalError(
                f"{home.data} holds data already ({', '.join(held)})",
                "give --overwrite to replace it, or set RISKEE_HOME to a new folder",
            )

    def _make_ready(
        self, recovery: Recovery, home: Home, manifest: Manifest, done: Restored, timeline: int | None
    ) -> None:
        part = manifest.part("postgres")
        if part is None:
            raise FatalError(
                f"backup {manifest.backup_id} holds no database", "choose another: `riskee backup list` shows them"
            )
        with self._timed(done, "unpack", "Unpacking the database") as telling:
            recovery.begin()
            unpack(restoring.base_of(self.repository, manifest), recovery.folder)
            log = log_after(self.repository, part)
            for name in fetch(self.repository, log, recovery.log):
                telling.tell(f"log {name}")
            recovery.check()
        if log.gap:
            done.log_gap, timeline = log.gap, log.newest_timeline
        with self._timed(done, "recover", "Recovering the database"):
            recovered = recovery.recover(done.asked_for, timeline, load_credentials(home).postgres)
            done.last_transaction, done.timeline = recovered.last_transaction, recovered.timeline

    def _exchange(self, recovery: Recovery, home: Home, manifest: Manifest, done: Restored) -> None:
        replaced = Path(tempfile.mkdtemp(prefix="replaced-", dir=home.data))
        log = _names(home.data / "wal")
        try:
            recovery.put_in_place(replaced)
            for name in _FOLDERS:
                if name != "postgres" and (home.data / name).exists():
                    (home.data / name).rename(replaced / name)
            if manifest.part("redis") is not None:
                blocks = restoring.content_of(self.repository, manifest, "redis", "dump.rdb")
                place_rdb(blocks, home.data / "redis")
            with self._timed(done, "start", "Starting the servers") as telling:
                self.stack.start_servers(lambda name, message: telling.tell(f"{name}: {message}"))
            self._fill(self.settings(), manifest, done)
            self.stack.stop()
        except BaseException:
            self.stack.stop()
            _put_back(home, replaced, log)
            raise
        shutil.rmtree(replaced)

    def _fill(self, settings: Settings, manifest: Manifest, done: Restored) -> None:
        server = PostgresServer(settings)
        done.counts |= {f"{db}.{table}": n for db in server.databases() for table, n in server.rows(db).items()}
        if manifest.part("nats") is not None:
            with self._timed(done, "streams", "Restoring the streams") as telling:
                done.counts |= restoring.restore_streams(settings, self.repository, manifest, telling)
        if manifest.part("vectors") is not None:
            with self._timed(done, "vectors", "Restoring the vectors"):
                done.counts |= restoring.restore_vectors(settings, self.repository, manifest)
        if manifest.part("files") is not None:
            with self._timed(done, "files", "Restoring the reports"):
                done.counts["files"] = restoring.restore_files(settings.home, self.repository, manifest)

    @contextmanager
    def _timed(self, done: Restored, name: str, title: str) -> Iterator[Telling]:
        began = time.monotonic()
        with self.step(title) as telling:
            yield telling
        done.seconds[name] = round(time.monotonic() - began, 2)


def _holds_data(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def _put_back(home: Home, replaced: Path, log: set[str]) -> None:
    """What was there is as it was. An empty home stays empty, and nothing is left of the log that had been begun: once
    stored, the next restore would take it for the latest."""
    for name in _names(home.data / "wal") - log:
        (home.data / "wal" / name).unlink()
    for name in _FOLDERS:
        shutil.rmtree(home.data / name, ignore_errors=True)
        if (replaced / name).exists():
            (replaced / name).rename(home.data / name)
    replaced.rmdir()
