"""Giving back what a backup holds: to servers that run, and to a folder."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from riskee.backup import files
from riskee.backup.creating import BASE, SNAPSHOT, Telling
from riskee.backup.errors import DamagedError
from riskee.backup.filling import fill
from riskee.backup.manifest import Manifest, Part
from riskee.backup.newest import time_of
from riskee.backup.postgres import PostgresServer
from riskee.backup.repository import Repository, object_path
from riskee.backup.streams import Snapshot, stream_server
from riskee.backup.timescale import EXTENSION, require_version
from riskee.backup.vectors import VectorServer
from riskee.backup.verifying import log_after
from riskee.backup.wal import Log, fetch
from riskee.errors import FatalError, NotFoundError
from riskee.settings import Settings


@dataclass(frozen=True)
class Extracted:
    """How many files were written, and the segment of the log that is missing after them ("" for none)."""

    objects: int
    log_gap: str


def choose(repository: Repository, backup_id: str | None, at: datetime | None) -> Manifest:
    """The backup to restore: the one named, else the newest, else the newest that was complete before a moment.

    Raises NotFoundError where there is none, FatalError where the one named is younger than the moment.
    """
    if at is None or backup_id is not None:
        manifest = repository.find(backup_id)
        if at is not None and manifest.finished_at > at:
            raise FatalError(
                f"backup {manifest.backup_id} was complete only at {manifest.finished_at:%Y-%m-%d %H:%M:%S} UTC",
                "leave the backup out: the newest before the moment is taken then",
            )
        return manifest
    for one in repository.ids():
        if time_of(one) > at + timedelta(seconds=1):
            continue
        manifest = repository.manifest(one)
        if manifest.finished_at <= at and manifest.part("postgres") is not None:
            return manifest
    raise NotFoundError(
        f"no backup was complete at {at:%Y-%m-%d %H:%M:%S} UTC", "`riskee backup list` shows those that there are"
    )


def content_of(repository: Repository, manifest: Manifest, system: str, name: str) -> Iterator[bytes]:
    """The content of one object, block by block, checked."""
    return repository.reading(object_path(manifest.backup_id, system, name))


def base_of(repository: Repository, manifest: Manifest) -> Iterator[bytes]:
    """The database's files, as a tar."""
    return content_of(repository, manifest, "postgres", BASE)


def restore_streams(settings: Settings, repository: Repository, manifest: Manifest, telling: Telling) -> dict[str, int]:
    """Make the streams from their snapshots; returns the messages of each. Raises FatalError where one exists."""
    return asyncio.run(_restore_streams(settings, repository, manifest, telling))


async def _restore_streams(
    settings: Settings, repository: Repository, manifest: Manifest, telling: Telling
) -> dict[str, int]:
    part = _part(manifest, "nats")
    counts: dict[str, int] = {}
    async with stream_server(settings.nats) as server:
        for stream, fact in part.facts.items():
            telling.tell(stream)
            snapshot = Snapshot(**json.loads(fact))
            blocks = content_of(repository, manifest, "nats", stream + SNAPSHOT)
            counts[stream] = await server.load(stream, snapshot, blocks)
            _require_count(stream, counts[stream], part.counts[stream])
    return counts


def restore_vectors(settings: Settings, repository: Repository, manifest: Manifest) -> dict[str, int]:
    """Put the points back; returns how many each collection got."""
    part = _part(manifest, "vectors")
    counts = VectorServer(settings.vectors).load(content_of(repository, manifest, "vectors", "points"))
    for collection, count in part.counts.items():
        _require_count(collection, counts.get(collection, 0), count)
    return counts


def restore_files(home: Path, repository: Repository, manifest: Manifest) -> int:
    """Put the reports back below the home; returns how many files."""
    return files.unpack(content_of(repository, manifest, "files", "home.tar"), home)


def restore_dumps(settings: Settings, repository: Repository, manifest: Manifest) -> dict[str, int]:
    """Fill the empty databases of a server from their dumps; returns the rows of each table.

    Raises FatalError for a database that has tables, or another TimescaleDB.
    """
    server, part = PostgresServer(settings), _part(manifest, "postgres")
    counts: dict[str, int] = {}
    there, saved = server.databases(), part.facts["databases"].split(",")
    # The product's own may bear another name here; Dagster's is restored where there is one.
    wanted = {there[0]: saved[0]} | {name: name for name in there[1:] if name in saved[1:]}
    for database, name in wanted.items():
        if server.tables(database):
            raise FatalError(
                f"the database {database} is not empty",
                f"drop it and make it anew (`DROP DATABASE {database}`, `CREATE DATABASE {database}`), or set "
                "RISKEE_DATABASE__URL to another",
            )
        require_version(server, database, part.facts.get(f"{name}.{EXTENSION}"))
    for database, name in wanted.items():
        fill(server, database, content_of(repository, manifest, "postgres", f"{name}.dump"))
        counts |= {f"{name}.{table}": rows for table, rows in server.rows(database).items()}
    for table, rows in part.counts.items():
        if table.partition(".")[0] in wanted.values():
            _require_count(table, counts.get(table, -1), rows)
    return counts


def extract(repository: Repository, manifest: Manifest, folder: Path, telling: Telling) -> Extracted:
    """Write all objects, opened and unpacked, into an empty folder, and the database's log after the backup, up to a
    gap, into `postgres/wal`. For servers that others run.
    """
    require_empty(folder, "--extract")
    objects = [one for part in manifest.parts for one in part.objects]
    for one in objects:
        telling.tell(one.name)
        system, name = one.name.split("/")[-2:]
        (folder / system).mkdir(parents=True, exist_ok=True)
        blocks = repository.reading(one.name)
        if system == "postgres" and name == BASE:
            (folder / system / "data").mkdir(mode=0o700)
            files.unpack(blocks, folder / system / "data")
        else:
            write_blocks(blocks, folder / system / name)
    log = log_after(repository, manifest.part("postgres"))
    return Extracted(len(objects) + _extract_log(repository, log, folder / "postgres" / "wal", telling), log.gap)


def _extract_log(repository: Repository, log: Log, folder: Path, telling: Telling) -> int:
    if log.names:
        folder.mkdir(mode=0o700)
    for name in fetch(repository, log, folder):
        telling.tell(f"log {name}")
    return len(log.names)


def write_blocks(blocks: Iterator[bytes], path: Path) -> None:
    """Write content to a new file that only its owner may read."""
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)


def require_empty(folder: Path, option: str) -> None:
    """Raises FatalError for a folder that has something in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FatalError(f"{folder} is not empty", f"give {option} a new folder, or empty this one")


def _part(manifest: Manifest, system: str) -> Part:
    part = manifest.part(system)
    if part is None:
        raise NotFoundError(
            f"backup {manifest.backup_id} holds no {system}", "`riskee backup list` shows what each holds"
        )
    return part


def _require_count(what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise DamagedError(f"{what} has {found:,} entries, {wanted:,} were saved", "restore from another backup")
