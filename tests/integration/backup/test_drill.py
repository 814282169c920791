"""The restore drill: load, back up, write more, lose everything, restore to a moment in between, compare.

`make drill` does it with millions of rows and writes what it measured; here it is done with thousands.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from infra.embedded.restoring import EmbeddedRestore
from infra.embedded.stack import Stack
from riskee.backup.creating import create
from riskee.backup.postgres import PostgresServer
from riskee.backup.repository import repository_of
from riskee.backup.wal import SEGMENT, ship, wal_folder
from riskee.cli.board import PlainBoard
from riskee.clock import SystemClock
from riskee.errors import FatalError, PoisonError
from riskee.settings import Settings, load_settings
from riskee.storage.migrations import migrate
from tests.conftest import REPOSITORY
from tests.integration.backup.loaded import Digests, digests, load, quotes_of, tree, write_quotes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

FULL = os.environ.get("RISKEE_TEST_DRILL") == "full"
ROWS = 3_000_000 if FULL else 20_000
KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Kept:
    """What is left after the loss: the target, and what was in the servers."""

    folder: Path
    environment: dict[str, str]
    home: Path
    wanted: Digests
    moment: datetime
    last_shipped: datetime
    lost: datetime
    created: dict[str, float]


@contextmanager
def started(home: Path) -> Iterator[Settings]:
    """The servers of a home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISKEE_HOME", str(home))
        stack = Stack(home, REPOSITORY)
        stack.start_servers()
        try:
            yield load_settings()
        finally:
            stack.stop()


def new_home(folder: Path, name: str) -> Path:
    home = folder / name
    home.mkdir(mode=0o711)
    return home


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    """A stack that was loaded, backed up, written to, and stopped; its log was stored up to some moment."""
    folder = Path(tempfile.mkdtemp(prefix="riskee drill "))
    folder.chmod(0o711)
    environment = {
        "RISKEE_BACKUP__TARGET": str(folder / "kept"),
        "RISKEE_BACKUP__KEY": KEY,
        "RISKEE_BACKUP__WAL_ARCHIVE": "true",
        "RISKEE_LLM__URL": "http://elsewhere:11434",
    }
    home = new_home(folder, "home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with started(home) as settings:
            kept = _history(folder, environment, home, settings)
        yield kept
    shutil.rmtree(folder)


def _history(folder: Path, environment: dict[str, str], home: Path, settings: Settings) -> Kept:
    migrate(settings.database.url, settings)
    load(settings, ROWS)
    began = time.monotonic()
    manifest = create(settings, repository_of(settings), SystemClock(), PlainBoard(error=True).task)
    created = {"seconds": round(time.monotonic() - began, 2), "stored_bytes": float(manifest.stored_bytes)}
    moment = write_quotes(settings, "after", ROWS // 10)
    wanted = digests(settings)
    last_shipped = write_quotes(settings, "too late", ROWS // 10)
    PostgresServer(settings).switch_wal()
    newest = PostgresServer(settings)
    deadline = time.monotonic() + 60
    while not _archived(newest):
        assert time.monotonic() < deadline, "the log is not archived"
        time.sleep(0.05)
    ship(repository_of(settings), wal_folder(settings))
    lost = write_quotes(settings, "never stored", 10)
    return Kept(folder, environment, home, wanted, moment, last_shipped, lost, created)


def _archived(server: PostgresServer) -> bool:
    """Whether the archiver has all segments but the one that is written."""
    with server.connect() as connection:
        row = connection.execute(
            "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 16777216) FROM pg_stat_archiver"
        ).fetchone()
    return row is not None and row[0] is True


def riskee(kept: Kept, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("riskee")), "backup", *words],
        env=own | kept.environment | {"RISKEE_HOME": str(home)}, cwd=REPOSITORY, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def restored(kept: Kept, home: Path, *words: str) -> dict[str, Any]:
    done = riskee(kept, home, "restore", "--json", *words)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_everything_lost_is_back_as_of_a_moment(kept: Kept) -> None:
    """Another home, with other passwords: nothing of the first is needed but the target and the key."""
    home = new_home(kept.folder, "moment")
    done = restored(kept, home, "--at", kept.moment.isoformat())
    with started(home) as settings:
        assert digests(settings) == kept.wanted
        assert (quotes_of(settings, "after"), quotes_of(settings, "too late")) == (ROWS // 10, 0)
        _dumps_fill_an_empty_database(kept, home, settings)
    assert (home / "reports" / "model.html").read_text() == "a report"
    last = datetime.fromisoformat(done["last_transaction"])
    assert last <= kept.moment
    if FULL:
        _report(kept, done, last)


def _dumps_fill_an_empty_database(kept: Kept, home: Path, settings: Settings) -> None:
    url = settings.database.url.get_secret_value().rsplit("/", 1)[0]
    name = "elsewhere"
    with psycopg.connect(url.replace("+psycopg", "") + "/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    environment = kept.environment | {"RISKEE_DATABASE__URL": f"{url}/{name}", "RISKEE_NATS__URL": "nats://elsewhere:1"}
    elsewhere = Kept(kept.folder, environment, home, kept.wanted, kept.moment, kept.last_shipped, kept.lost, {})
    first = riskee(elsewhere, home, "restore", "--dumps", "--json")
    with psycopg.connect(f"{url}/{name}".replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT feed, count(*) FROM quotes GROUP BY 1").fetchall()
    assert found == [("before", ROWS)], first.stderr
    assert "message bus does not answer" in first.stderr
    second = riskee(elsewhere, home, "restore", "--dumps")
    assert f"the database {name} is not empty" in second.stderr


@contextmanager
def gap(kept: Kept) -> Iterator[str]:
    """The log goes on after a segment that was not kept; gives that one's place."""
    newest = max(path for path in (kept.folder / "kept" / "wal").glob("*/*") if SEGMENT.fullmatch(path.name))
    number = int(newest.name[16:], 16)
    later = newest.with_name(f"{newest.name[:16]}{number + 2:08X}")
    later.touch()
    yield f"{newest.name[8:16]}{number + 1:08X}"
    later.unlink()


def test_a_restore_goes_as_far_as_a_gap_in_the_log(kept: Kept) -> None:
    home = new_home(kept.folder, "gap")
    with gap(kept) as lacking:
        refused = riskee(kept, home, "restore", "--at", kept.moment.isoformat())
        done = restored(kept, home)
    assert f"lacks the segment …{lacking}" in refused.stderr
    assert done["log_gap"] == lacking
    assert datetime.fromisoformat(done["last_transaction"]) > kept.moment, "all that was stored before it"


def test_a_backup_is_unpacked_for_servers_that_others_run(kept: Kept) -> None:
    folder = kept.folder / "unpacked"
    with gap(kept) as lacking:
        done = riskee(kept, kept.home, "restore", "--extract", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["log_gap"] == lacking
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert json.loads(done.stdout)["counts"]["objects"] > 10
    assert found >= {"postgres/data/PG_VERSION", "postgres/riskee.dump", "redis/dump.rdb", "nats/ROUTING.snapshot"}
    assert (folder / "redis" / "dump.rdb").read_bytes().startswith((b"REDIS", b"VALKEY"))
    log = {path.name for path in (folder / "postgres" / "wal").iterdir()}
    label = (folder / "postgres" / "data" / "backup_label").read_text()
    assert label.split("(file ")[1].split(")")[0] in log, "the log goes on where the files end"
    shutil.rmtree(folder)


@contextmanager
def restoring(kept: Kept) -> Iterator[EmbeddedRestore]:
    """A restore of the first home, within this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**kept.environment, "RISKEE_HOME": str(kept.home)}.items():
            patch.setenv(name, value)
        repository = repository_of(load_settings())
        yield EmbeddedRestore(Stack(kept.home, REPOSITORY), load_settings, repository, PlainBoard(error=True).task)


def test_a_mistake_is_undone_in_place_and_what_is_there_is_never_lost(kept: Kept) -> None:
    """The disk lives: so does the log that was not stored yet, to the last row."""
    before = tree(kept.home / "data")
    with restoring(kept) as restore:
        with pytest.raises(FatalError, match=r"holds data already \(postgres, nats, redis, qdrant\)"):
            restore.run(None, None, overwrite=False)
        with pytest.raises(FatalError, match="the log that was kept ends before"):
            restore.run(None, kept.lost + timedelta(days=1), overwrite=True)
    changed = {name for name, state in tree(kept.home / "data").items() if before.get(name) != state}
    assert changed == set(), "nothing was changed"
    done = restored(kept, kept.home, "--overwrite")
    assert datetime.fromisoformat(done["last_transaction"]) <= kept.lost
    assert not list((kept.home / "data").glob("replaced-*"))
    with started(kept.home) as settings:
        words = ("before", "after", "too late", "never stored")
        assert [quotes_of(settings, word) for word in words] == [ROWS, ROWS // 10, ROWS // 10, 10]
        with restoring(kept) as restore, pytest.raises(FatalError, match="the stack runs"):
            restore.run(None, None, overwrite=True)


def test_what_fails_after_the_exchange_is_put_back(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(kept.home / "data")

    def fail(*_: object) -> None:
        raise FatalError("the streams cannot be restored")

    monkeypatch.setattr("riskee.backup.restoring.restore_streams", fail)
    with restoring(kept) as restore, pytest.raises(FatalError, match="streams cannot be restored"):
        restore.run(None, None, overwrite=True)
    after, log = tree(kept.home / "data"), str(kept.home / "data" / "wal")
    assert {name for name, state in after.items() if before.get(name) != state} == set(), "no other timeline is begun"
    assert {str(Path(name).parent) for name in before.keys() - after.keys()} <= {log}, "what of the log was stored"


@pytest.mark.parametrize("harm", ["cut", "changed", "missing"])
def test_a_harmed_backup_is_refused_before_anything_is_changed(kept: Kept, harm: str) -> None:
    base = next((kept.folder / "kept").glob("backups/*/postgres/base.tar"))
    content, before = base.read_bytes(), tree(kept.home / "data")
    try:
        if harm == "missing":
            base.unlink()
        else:
            base.write_bytes(
                content[:-1] if harm == "cut" else content[:-20] + bytes([content[-20] ^ 1]) + content[-19:]
            )
        wanted = "has no backups/" if harm == "missing" else "base.tar is damaged"
        with restoring(kept) as restore, pytest.raises(PoisonError, match=wanted):
            restore.run(None, None, overwrite=True)
    finally:
        base.write_bytes(content)
    after = tree(kept.home / "data")
    assert {name for name, state in after.items() if before.get(name) != state} == set()


def _report(kept: Kept, done: dict[str, Any], last: datetime) -> None:
    """What `make drill` measured, for docs/backup.md."""
    report = {
        "rows": ROWS,
        "backup": kept.created,
        "restore": done,
        "rto_seconds": done["total_seconds"],
        "rpo_to_a_moment_seconds": (kept.moment - last).total_seconds(),
        "rpo_disk_lost_seconds": (kept.lost - kept.last_shipped).total_seconds(),
    }
    folder = REPOSITORY / ".riskee" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drill.json").write_text(json.dumps(report, indent=2))
    print(json.dumps({name: value for name, value in report.items() if name != "restore"}, indent=2))
