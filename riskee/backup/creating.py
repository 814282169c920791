"""Making a backup: the streams first, then the database, then what can be made again.

A stream's consumers are restored as far as they were: before the database, so that what the database has more is
delivered once more, and recorded as the same. The other way round it would be missing.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from riskee import __version__
from riskee.backup import files
from riskee.backup.manifest import FORMAT, ID_FORM, PARTIAL_SUFFIX, Manifest, Part, StoredObject
from riskee.backup.postgres import PostgresServer
from riskee.backup.redis import RedisServer
from riskee.backup.repository import Repository, object_path
from riskee.backup.sealing import Write
from riskee.backup.streams import stream_server
from riskee.backup.timescale import EXTENSION, version_of
from riskee.backup.vectors import VectorServer
from riskee.backup.wal import ship, wal_folder
from riskee.clock import Clock
from riskee.errors import FatalError, NotFoundError, RiskeeError
from riskee.settings import Settings

SYSTEMS = ("nats", "postgres", "redis", "vectors", "files")
BASE, SNAPSHOT = "base.tar", ".snapshot"
_TOLD_BYTES = 16 * 2**20
_TITLES = {
    "nats": "Saving the streams",
    "postgres": "Saving the database",
    "redis": "Saving the cache",
    "vectors": "Saving the vectors",
    "files": "Saving the reports",
}


class Telling(Protocol):
    """Whoever is told what is being done."""

    def tell(self, detail: str) -> None: ...


Step = Callable[[str], AbstractContextManager[Telling]]


@dataclass
class _Making:
    """A backup under way."""

    settings: Settings
    repository: Repository
    backup_id: str
    telling: Telling
    objects: list[StoredObject] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def storing(self, system: str, name: str) -> Iterator[Write]:
        done, told = 0, 0
        with self.repository.storing(object_path(self.backup_id, system, name), self.objects) as storing:

            def write(data: bytes) -> None:
                nonlocal done, told
                storing.write(data)
                done += len(data)
                if done - told >= _TOLD_BYTES:
                    told = done
                    self.telling.tell(f"{name}: {done // 2**20:,} MiB")

            yield write


def create(
    settings: Settings, repository: Repository, clock: Clock, step: Step, only: Sequence[str] = SYSTEMS
) -> Manifest:
    """Make a backup of the systems in `only`. Where one fails there is no backup: what was stored of it is removed.

    Raises what the systems raise, FatalError for two backups in one second.
    """
    settings = privileged(settings)
    unknown = [name for name in only if name not in SYSTEMS]
    if unknown:
        raise NotFoundError(f"there is no {', '.join(unknown)} to save", f"the systems are {', '.join(SYSTEMS)}")
    started = clock.now()
    backup_id = started.strftime(ID_FORM) + ("" if set(only) == set(SYSTEMS) else PARTIAL_SUFFIX)
    if backup_id in (*repository.ids(), *repository.incomplete_ids()):
        raise FatalError(f"a backup {backup_id} is there already", "wait a second and try again")
    try:
        parts = tuple(
            _part(settings, repository, backup_id, system, step)
            if system in only
            else Part(system, left_out="not asked for")
            for system in SYSTEMS
        )
        manifest = Manifest(FORMAT, backup_id, started, clock.now(), __version__, settings.profile, parts)
        repository.complete(manifest)
    except BaseException as error:
        _clean_up(repository, backup_id, error)
        raise
    return manifest


def _clean_up(repository: Repository, backup_id: str, error: BaseException) -> None:
    """Remove what was stored of a backup that failed. What is wrong with the target too does not hide why it failed."""
    try:
        if backup_id in repository.incomplete_ids():
            repository.remove(backup_id)
    except RiskeeError as left:
        error.add_note(f"what was stored of {backup_id} is left, until `riskee backup prune` removes it: {left}")


def privileged(settings: Settings, servers: Sequence[str] = ("database", "nats", "redis")) -> Settings:
    """The settings with the addresses of these servers that backups use: services have fewer rights."""
    wanted = {name: getattr(settings.backup, f"{name}_url") for name in servers}
    changed = {
        name: getattr(settings, name).model_copy(update={"url": url}) for name, url in wanted.items() if url is not None
    }
    return settings.model_copy(update=changed)


def _part(settings: Settings, repository: Repository, backup_id: str, system: str, step: Step) -> Part:
    began = time.monotonic()
    with step(_TITLES[system]) as telling:
        making = _Making(settings, repository, backup_id, telling)
        _SAVERS[system](making)
    seconds = round(time.monotonic() - began, 2)
    return Part(system, tuple(making.objects), making.counts, making.facts, seconds)


def _save_streams(making: _Making) -> None:
    asyncio.run(_snapshots(making))


async def _snapshots(making: _Making) -> None:
    async with stream_server(making.settings.nats) as server:
        for stream in await server.names():
            making.telling.tell(stream)
            with making.storing("nats", stream + SNAPSHOT) as write:
                snapshot = await server.save(stream, write)
            making.counts[stream] = snapshot.messages
            making.facts[stream] = msgspec.json.encode({"config": snapshot.config, "state": snapshot.state}).decode()


def _save_database(making: _Making) -> None:
    server = PostgresServer(making.settings)
    making.facts |= server.facts()
    with making.storing("postgres", BASE) as write:
        server.base(write)
    databases = server.databases()
    making.facts["databases"] = ",".join(databases)
    for database in databases:
        making.telling.tell(database)
        with making.storing("postgres", f"{database}.dump") as write:
            counts = server.dump(database, write)
        making.facts[f"{database}.{EXTENSION}"] = version_of(server, database)
        making.counts |= {f"{database}.{table}": rows for table, rows in counts.items()}
    folder = wal_folder(making.settings)
    if folder.exists():
        server.switch_wal()
        ship(making.repository, folder)


def _save_cache(making: _Making) -> None:
    server = RedisServer(making.settings.redis)
    facts, counts = server.facts()
    making.facts |= facts
    making.counts |= counts
    with making.storing("redis", "dump.rdb") as write:
        server.rdb(write)


def _save_vectors(making: _Making) -> None:
    with making.storing("vectors", "points") as write:
        making.counts |= VectorServer(making.settings.vectors).save(write)


def _save_files(making: _Making) -> None:
    with making.storing("files", "home.tar") as write:
        making.counts["files"] = files.pack(making.settings.home, write)


_SAVERS: dict[str, Callable[[_Making], None]] = {
    "nats": _save_streams,
    "postgres": _save_database,
    "redis": _save_cache,
    "vectors": _save_vectors,
    "files": _save_files,
}
