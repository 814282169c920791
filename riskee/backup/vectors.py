"""What is saved of the vector server: every point, read page by page.

The documents in the database are the truth, and all points can be made from them again. Points that are put back only
spare the time to embed: afterwards the index is brought in line with the documents of the restored moment. Reading
works with any server that speaks Qdrant's API, the embedded one too; its snapshots would be of one server's version.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from riskee.backup.errors import DamagedError
from riskee.backup.files import Blocks
from riskee.backup.sealing import Write
from riskee.documents.document import COLLECTIONS, Collection
from riskee.errors import RetryableError
from riskee.settings import VectorSettings
from riskee.storage.trust import trusting
from riskee.storage.vectors import Vectors

_PAGE = 256
_FLOAT_BYTES = 4


class _Point(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A point; its vector is float32, little endian."""

    point_id: str
    vector: bytes
    payload: dict[str, Any]


class _Page(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    collection: Collection
    points: tuple[_Point, ...]


@dataclass(frozen=True)
class VectorServer:
    """The server of the settings."""

    settings: VectorSettings

    def save(self, write: Write) -> dict[str, int]:
        """Write all points of the product's collections; returns how many each has."""
        encoder = msgspec.msgpack.Encoder()
        counts: dict[str, int] = {}
        with self._client() as client:
            for collection in (one for one in COLLECTIONS if client.collection_exists(one)):
                counts[collection] = 0
                for records in _pages(client, collection):
                    points = tuple(
                        _Point(str(r.id), np.asarray(r.vector, "<f4").tobytes(), r.payload or {}) for r in records
                    )
                    body = encoder.encode(_Page(collection, points))
                    write(len(body).to_bytes(4, "big") + body)
                    counts[collection] += len(points)
        return counts

    def load(self, blocks: Iterable[bytes]) -> dict[str, int]:
        """Put points back, into collections that are made where they are missing; returns how many each got."""
        counts: dict[str, int] = {}
        with self._client() as client, closing(Vectors(self.settings)) as vectors:
            for page in _decoded(blocks):
                if page.collection not in counts:
                    vectors.ensure_collections(len(page.points[0].vector) // _FLOAT_BYTES, [page.collection])
                points = [
                    models.PointStruct(id=p.point_id, vector=np.frombuffer(p.vector, "<f4").tolist(), payload=p.payload)
                    for p in page.points
                ]
                client.upsert(page.collection, points, wait=True)
                counts[page.collection] = counts.get(page.collection, 0) + len(points)
        return counts

    @contextmanager
    def _client(self) -> Iterator[QdrantClient]:
        settings = self.settings
        client = QdrantClient(
            url=settings.url,
            api_key=settings.api_key.get_secret_value() if settings.api_key else None,
            timeout=max(1, round(settings.timeout_seconds)),
            verify=trusting(settings.authority) or True,
            prefer_grpc=False,
            check_compatibility=False,
        )
        try:
            yield client
        except ApiException as error:
            raise RetryableError(
                f"Qdrant at {settings.url} does not answer as it should: {error}", "`riskee logs qdrant`"
            ) from error
        finally:
            client.close()


def _pages(client: QdrantClient, collection: str) -> Iterator[list[models.Record]]:
    offset: Any = None
    while True:
        records, offset = client.scroll(collection, limit=_PAGE, offset=offset, with_payload=True, with_vectors=True)
        if records:
            yield records
        if offset is None:
            return


def _decoded(blocks: Iterable[bytes]) -> Iterator[_Page]:
    decoder = msgspec.msgpack.Decoder(_Page)
    source = Blocks(blocks)
    while length := source.read(4):
        try:
            yield decoder.decode(source.read(int.from_bytes(length, "big")))
        except msgspec.MsgspecError as error:
            raise DamagedError(
                f"the saved vectors cannot be read: {error}",
                "leave them out: `riskee documents embed` makes them again",
            ) from error
