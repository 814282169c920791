"""All collections of one data folder.

Creating and deleting go through a rename, so a process killed at any moment leaves a collection whole or absent.
"""

import fcntl
import re
import shutil
from pathlib import Path

import qdrant_edge as edge

from infra.embedded.qdrant_front.collection import Collection, engine_config, load_vectors, save_vectors
from infra.embedded.qdrant_front.refusal import RequestError, bad
from infra.embedded.qdrant_front.requests import VectorParams
from riskee.errors import FatalError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_MAX_VECTOR_SIZE = 65_536


class Store:
    """The collections below `data`, opened by this one process."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._lock = (data / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FatalError(
                f"{data} is in use by another vector server", "stop that one or choose another --data"
            ) from error
        self._collections_folder = data / "collections"
        self._scratch = data / "scratch"
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._collections_folder.mkdir(exist_ok=True)
        self._scratch.mkdir()
        self._open = {folder.name: _open(folder) for folder in sorted(self._collections_folder.iterdir())}

    def names(self) -> list[str]:
        """Names of all collections, sorted."""
        return sorted(self._open)

    def exists(self, name: str) -> bool:
        """Whether there is such a collection."""
        return name in self._open

    def get(self, name: str) -> Collection:
        """An open collection. Raises RequestError (404) when there is none."""
        if name not in self._open:
            raise RequestError(404, f"Not found: Collection `{name}` doesn't exist!")
        return self._open[name]

    def create(self, name: str, vectors: VectorParams) -> None:
        """Create an empty collection. Raises RequestError: 409 when it exists, 400 for a wrong name or size."""
        if not _NAME.fullmatch(name):
            raise bad(f"collection name {name!r} has other characters than letters, digits, '_', '-' and '.'")
        if name in self._open:
            raise RequestError(409, f"Wrong input: Collection `{name}` already exists!")
        if not 1 <= vectors.size <= _MAX_VECTOR_SIZE:
            raise bad(f"vector size {vectors.size} is not between 1 and {_MAX_VECTOR_SIZE}")
        fresh = self._scratch / name
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        edge.EdgeShard.create(str(fresh / "shard"), engine_config(vectors)).close()
        save_vectors(fresh, vectors)
        folder = self._collections_folder / name
        fresh.rename(folder)
        self._open[name] = _open(folder)

    def delete(self, name: str) -> bool:
        """Delete a collection; False when there was none."""
        collection = self._open.pop(name, None)
        if collection is None:
            return False
        collection.close()
        discarded = self._scratch / name
        (self._collections_folder / name).rename(discarded)
        shutil.rmtree(discarded)
        return True

    def tidy(self) -> None:
        """Let each collection do its idle work."""
        for collection in self._open.values():
            collection.tidy()

    def close(self) -> None:
        """Flush and release everything."""
        for collection in self._open.values():
            collection.close()
        self._open.clear()
        self._lock.close()


def _open(folder: Path) -> Collection:
    try:
        return Collection(folder, load_vectors(folder))
    except Exception as error:  # the engine raises bare Exception for every fault
        raise FatalError(
            f"collection {folder.name} cannot be opened: {error}",
            f"delete {folder}; its points are rebuilt by materialising the embedding assets",
        ) from error
