"""Keys, packed folders, and what is asked of Redis."""

import base64
import io
import tarfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from riskee.backup.creating import create, privileged
from riskee.backup.errors import DamagedError
from riskee.backup.files import Blocks, pack, unpack
from riskee.backup.filling import _TIMEOUT, _copy
from riskee.backup.key import read_key
from riskee.backup.postgres import PostgresServer, tools_folder
from riskee.backup.redis import place_rdb
from riskee.backup.repository import Repository
from riskee.backup.sealing import Write
from riskee.backup.target import Target
from riskee.cli.backup import parse_moment
from riskee.cli.board import PlainBoard
from riskee.clock import SystemClock
from riskee.errors import FatalError, PoisonError, RetryableError
from riskee.settings import BackupSettings, Settings


def test_a_key_is_32_bytes_of_base64() -> None:
    key = bytes(range(32))
    assert read_key(BackupSettings()) is None
    assert read_key(BackupSettings(key=SecretStr(base64.b64encode(key).decode() + "\n"))) == key
    for wrong in ("no key", base64.b64encode(key[:16]).decode(), "ключ"):
        with pytest.raises(FatalError, match="head -c 32"):
            read_key(BackupSettings(key=SecretStr(wrong)))


def test_folders_come_back(tmp_path: Path) -> None:
    (tmp_path / "reports" / "deep").mkdir(parents=True)
    (tmp_path / "reports" / "deep" / "a.html").write_text("report")
    (tmp_path / "secrets.json").write_text("a password")
    parts: list[bytes] = []
    assert pack(tmp_path, parts.append) == 1
    assert unpack(iter(parts), tmp_path / "back") == 1
    assert [path.name for path in (tmp_path / "back").rglob("*") if path.is_file()] == ["a.html"]


@pytest.mark.parametrize("has_filter", [True, False])
@pytest.mark.parametrize(
    ("name", "kind"),
    [("../outside", tarfile.REGTYPE), ("/tmp/outside", tarfile.REGTYPE), ("in/../../outside", tarfile.REGTYPE),
     ("link", tarfile.SYMTYPE), ("link", tarfile.LNKTYPE), ("device", tarfile.CHRTYPE)],
)  # fmt: skip
def test_what_is_no_plain_file_within_the_folder_is_refused(
    tmp_path: Path, name: str, kind: bytes, has_filter: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_filter:  # as Python before 3.11.4
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    packed, member = io.BytesIO(), tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/hostname"
    with tarfile.open(mode="w", fileobj=packed) as archive:
        archive.addfile(member, io.BytesIO())
    with pytest.raises(DamagedError, match="not unpacked"):
        unpack([packed.getvalue()], tmp_path / "back")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_blocks_are_read_as_a_file(size: int) -> None:
    blocks = Blocks([b"ab", b"", b"cdefg", b"h"])
    found = b"".join(iter(lambda: blocks.read(size), b""))
    assert found == b"abcdefgh"


def test_a_copy_of_redis_is_the_base_of_its_append_only_files(tmp_path: Path) -> None:
    place_rdb([b"REDIS", b"0011"], tmp_path / "redis")
    folder = tmp_path / "redis" / "appendonlydir"
    assert (folder / "appendonly.aof.1.base.rdb").read_bytes() == b"REDIS0011"
    assert (folder / "appendonly.aof.manifest").read_text().startswith("file appendonly.aof.1.base.rdb seq 1 type b")


def test_backups_reach_the_servers_as_whom_the_settings_say() -> None:
    settings = Settings(backup=BackupSettings(nats_url=SecretStr("nats://backup@elsewhere:4222")))
    changed = privileged(settings)
    assert changed.nats.url.get_secret_value() == "nats://backup@elsewhere:4222"
    assert changed.database.url == settings.database.url


def test_a_folder_without_tools_is_named(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="has no pg_basebackup, pg_dump, pg_restore, psql"):
        tools_folder(Settings(backup=BackupSettings(postgres_tools=tmp_path)))


def test_moments_are_in_utc() -> None:
    assert parse_moment("2026-01-31T09:30:00").isoformat() == "2026-01-31T09:30:00+00:00"
    assert parse_moment("2026-01-31T09:30:00+01:00").isoformat() == "2026-01-31T08:30:00+00:00"
    with pytest.raises(PoisonError, match="is no moment"):
        parse_moment("yesterday")


def test_the_log_is_not_kept_where_nobody_takes_it_away() -> None:
    with pytest.raises(ValueError, match="`wal_archive` needs a `target`"):
        BackupSettings(wal_archive=True)
    assert BackupSettings(wal_archive=True, target="/mnt/backups").wal_archive


def test_tools_get_how_to_encrypt_but_not_another_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pg_basebackup", "pg_dump", "pg_restore", "psql"):
        (tmp_path / name).touch(mode=0o700)
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGHOST", "elsewhere")
    server = PostgresServer(Settings(backup=BackupSettings(postgres_tools=tmp_path)))
    command, environment = server.invocation("pg_restore", ["-f", "-"])
    assert command == [str(tmp_path / "pg_restore"), "--no-password", "-f", "-"]
    assert environment["PGSSLMODE"] == "verify-full"
    assert "PGHOST" not in environment


@pytest.mark.parametrize(("unknown", "kept"), [(b"", 2), (_TIMEOUT, 1)])
def test_a_server_is_not_asked_for_what_it_does_not_know(unknown: bytes, kept: int) -> None:
    """Servers before 17; what a row says is nobody's business."""
    row = b"COPY notes FROM stdin;\n" + b"x" * 2000 + b"\n" + _TIMEOUT
    taken: list[bytes] = []

    class Taker(io.BytesIO):
        def close(self) -> None:
            taken.append(self.getvalue())
            super().close()

    _copy(io.BytesIO(b"SET statement_timeout = 0;\n" + _TIMEOUT + b"BEGIN;\n" + row), Taker(), unknown)
    assert taken[0].count(_TIMEOUT) == kept
    assert taken[0].startswith(b"SET statement_timeout = 0;\n")
    assert taken[0].endswith(b"BEGIN;\n" + row)


def test_a_restore_writes_as_whom_the_settings_say_and_never_as_who_only_reads() -> None:
    backup = BackupSettings(
        database_url=SecretStr("postgresql+psycopg://reader@elsewhere/riskee"),
        nats_url=SecretStr("nats://backup@elsewhere:4222"),
    )
    changed = privileged(Settings(backup=backup), ("nats",))
    assert changed.nats.url.get_secret_value() == "nats://backup@elsewhere:4222"
    assert changed.database.url == Settings().database.url


def test_a_target_that_goes_away_does_not_hide_why_a_backup_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "kept"
    repository = Repository(Target(str(target)), None)

    def fail(home: Path, write: Write) -> int:
        write(b"some")
        monkeypatch.setattr(repository, "incomplete_ids", away)
        raise FatalError("a report cannot be read")

    def away() -> list[str]:
        raise RetryableError("the target is away")

    monkeypatch.setattr("riskee.backup.files.pack", fail)
    with pytest.raises(FatalError, match="a report cannot be read") as failed:
        create(Settings(home=tmp_path), repository, SystemClock(), PlainBoard().task, ("files",))
    assert "prune` removes it: the target is away" in failed.value.__notes__[0]
