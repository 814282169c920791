"""The repository: whole objects or none, on a folder and on what else fsspec has an address for."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from riskee.backup.errors import DamagedError
from riskee.backup.manifest import FORMAT, Manifest, Part, StoredObject, decode, encode
from riskee.backup.newest import completed_at, time_of
from riskee.backup.repository import Repository, object_path
from riskee.backup.restoring import choose
from riskee.backup.target import Target
from riskee.errors import FatalError, NotFoundError, RetryableError
from riskee.settings import BackupSettings, Settings

KEY = bytes(range(32))
START = datetime(2026, 11, 22, 2, 20, tzinfo=UTC)


@pytest.fixture(params=["folder", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "kept") if request.param == "folder" else f"memory://{uuid.uuid4()}"


def stored(
    repository: Repository,
    at: datetime,
    content: bytes = b"content" * 100,
    suffix: str = "",
    first_wal: str = "000000010000000000000005",
) -> Manifest:
    backup_id = f"{at:%Y%m%dT%H%M%SZ}{suffix}"
    objects: list[StoredObject] = []
    with repository.storing(object_path(backup_id, "postgres", "base.tar"), objects) as storing:
        storing.write(content)
    facts = {"system_identifier": "7", "first_wal": first_wal}
    part = Part("postgres", tuple(objects), {"riskee.quotes": 3}, facts)
    manifest = Manifest(FORMAT, backup_id, at, at + timedelta(seconds=30), "0.1.0", "embedded", (part,))
    repository.complete(manifest)
    return manifest


@pytest.mark.parametrize("key", [None, KEY])
def test_a_backup_comes_back(address: str, key: bytes | None) -> None:
    repository = Repository(Target(address), key)
    made = stored(repository, START)
    again = Repository(Target(address), key)
    assert again.find(None) == made
    assert b"".join(again.reading(made.parts[0].objects[0].name)) == b"content" * 100
    again.check(made.parts[0].objects[0])


def _fail_half_way(repository: Repository, path: str) -> None:
    with repository.storing(path) as storing:
        storing.write(b"x" * 3_000_000)
        raise ZeroDivisionError


def test_what_fails_half_way_leaves_nothing_and_keeps_what_was(tmp_path: Path) -> None:
    repository = Repository(Target(str(tmp_path)), KEY)
    with repository.storing("wal/7/a") as storing:
        storing.write(b"before")
    for path in ("wal/7/a", "wal/7/b"):
        with pytest.raises(ZeroDivisionError):
            _fail_half_way(repository, path)
    assert repository.target.names("wal/7") == ["a"]
    assert b"".join(repository.reading("wal/7/a")) == b"before"


def test_without_its_manifest_a_backup_is_not_there(address: str) -> None:
    repository = Repository(Target(address), None)
    made = stored(repository, START)
    repository.target.remove(f"backups/{made.backup_id}/manifest")
    assert repository.ids() == []
    assert repository.incomplete_ids() == [made.backup_id]
    with pytest.raises(NotFoundError, match="there is no backup in"):
        repository.find(None)


def test_half_an_object_is_refused_where_a_store_keeps_it(address: str) -> None:
    """fsspec's memory has no way to discard what was begun."""
    repository = Repository(Target(address), KEY)
    with pytest.raises(ZeroDivisionError):
        _fail_half_way(repository, "wal/7/a")
    with pytest.raises((DamagedError, NotFoundError)):
        list(repository.reading("wal/7/a"))


@pytest.mark.parametrize("key", [None, KEY])
def test_a_backup_under_the_name_of_another_is_refused(tmp_path: Path, key: bytes | None) -> None:
    repository = Repository(Target(str(tmp_path)), key)
    first, second = stored(repository, START), stored(repository, START + timedelta(days=1))
    folder = tmp_path / "backups"
    (folder / second.backup_id / "manifest").write_bytes((folder / first.backup_id / "manifest").read_bytes())
    with pytest.raises(DamagedError):
        repository.manifest(second.backup_id)


def test_an_object_that_was_stored_anew_is_refused(tmp_path: Path) -> None:
    """Without a key an object can be sealed by anybody: the manifest has its hash."""
    repository = Repository(Target(str(tmp_path)), None)
    wanted = stored(repository, START).parts[0].objects[0]
    with repository.storing(wanted.name) as storing:
        storing.write(b"content" * 99 + b"CONTENT")
    with pytest.raises(DamagedError, match="not what the manifest says"):
        repository.check(wanted)


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    stored(Repository(Target(str(tmp_path / "kept")), None), START)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "kept").rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_a_target_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RetryableError, match="check its free space, owner and mode"):
        stored(Repository(Target(str(tmp_path / "file")), None), START)


def test_an_address_without_its_package_says_what_to_install() -> None:
    with pytest.raises(FatalError, match=r"needs a package .*riskee\[s3\]"):
        Target("gs://bucket/prefix")  # s3fs may be here, for tests of it


def test_manifests_are_read_strictly(tmp_path: Path) -> None:
    manifest = stored(Repository(Target(str(tmp_path)), None), START)
    assert decode(encode(manifest)) == manifest
    with pytest.raises(DamagedError, match="cannot be understood"):
        decode(encode(manifest).replace(b'"profile"', b'"profil"'))
    with pytest.raises(DamagedError, match="format 2"):
        decode(encode(manifest).replace(b'"format": 1', b'"format": 2'))


def test_the_newest_whole_backup_counts_for_alerts_without_a_key(tmp_path: Path) -> None:
    settings = Settings(backup=BackupSettings(target=str(tmp_path)))
    assert completed_at(settings) == {"full": None}
    repository = Repository(Target(str(tmp_path)), KEY)
    stored(repository, START)
    stored(repository, START + timedelta(days=1), suffix="-some")
    (tmp_path / "backups" / "20261124T000000Z" / "nats").mkdir(parents=True)
    assert completed_at(settings) == {"full": START}
    archiving = settings.backup.model_copy(update={"wal_archive": True})
    archiving_settings = settings.model_copy(update={"backup": archiving})
    assert completed_at(archiving_settings) == {"full": START, "log": None}
    assert time_of("20261122T022000Z-some") == START


def test_the_newest_backup_before_a_moment_is_chosen(tmp_path: Path) -> None:
    repository = Repository(Target(str(tmp_path)), None)
    first, second = (stored(repository, START + timedelta(hours=hour)) for hour in (0, 1))
    assert choose(repository, None, None) == second
    assert choose(repository, None, second.finished_at) == second
    assert choose(repository, None, second.finished_at - timedelta(seconds=1)) == first
    with pytest.raises(NotFoundError, match="no backup was complete"):
        choose(repository, None, first.finished_at - timedelta(seconds=1))
    with pytest.raises(FatalError, match="was complete only at"):
        choose(repository, second.backup_id, second.finished_at - timedelta(seconds=1))
