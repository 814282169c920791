"""Vector search over documents: Qdrant's official client, REST only.

A point's id is the document's, so embedding a document again overwrites it. A document of the whole market has the
ticker `*`, because a filter finds a keyword more simply than its absence.
"""

import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from riskee.documents.document import COLLECTIONS, Collection, Document
from riskee.errors import FatalError, RetryableError
from riskee.settings import VectorSettings
from riskee.storage.trust import trusting

WHOLE_MARKET = "*"
# Small enough that searches of other clients are answered between two batches.
_BATCH = 64
_PAGE = 1000
_STAMP = "content_stamp"


@dataclass(frozen=True)
class Hit:
    """A document found, with its cosine similarity to the query."""

    score: float
    document: Document


class Vectors:
    """The five collections. Safe to use from several threads; connects with the first call."""

    def __init__(self, settings: VectorSettings) -> None:
        self._url = settings.url
        self._shards, self._replicas = settings.shards, settings.replicas
        with warnings.catch_warnings():
            # Of a key that is sent without TLS: whether it may be is for whoever runs the network to say.
            warnings.simplefilter("ignore", UserWarning)
            self._client = QdrantClient(
                url=settings.url,
                api_key=settings.api_key.get_secret_value() if settings.api_key else None,
                timeout=max(1, round(settings.timeout_seconds)),
                verify=trusting(settings.authority) or True,
                prefer_grpc=False,
                check_compatibility=False,  # it would connect here, and only warn
            )

    def ensure_collections(self, dimensions: int, collections: Sequence[Collection] = COLLECTIONS) -> None:
        """Create the collections that are missing.

        Raises FatalError when one exists with another vector size or distance.
        """
        with self._errors():
            for collection in collections:
                if self._client.collection_exists(collection):
                    self._check(collection, dimensions)
                else:
                    self._create(collection, dimensions)

    def upsert(self, documents: Sequence[Document], vectors: NDArray[np.float32], model: str) -> None:
        """Store documents of one collection with their vectors, shape (documents, dimensions), made by `model`."""
        if vectors.shape[0] != len(documents):
            raise ValueError(f"{len(documents)} documents but {vectors.shape[0]} vectors")
        with self._errors():
            for start in range(0, len(documents), _BATCH):
                batch = documents[start : start + _BATCH]
                rows = vectors[start : start + _BATCH].tolist()
                self._client.upsert(
                    batch[0].collection,
                    [
                        models.PointStruct(id=str(document.document_id), vector=row, payload=_payload(document, model))
                        for document, row in zip(batch, rows, strict=True)
                    ],
                    wait=True,
                )

    def stamps(self, collection: Collection) -> Iterator[tuple[uuid.UUID, str]]:
        """Id and `content_stamp` of every point, ascending by id, page by page: what needs no embedding again."""
        offset: Any = None
        while True:
            with self._errors():
                records, offset = self._client.scroll(
                    collection, limit=_PAGE, offset=offset, with_payload=[_STAMP], with_vectors=False
                )
            yield from ((uuid.UUID(str(r.id)), str((r.payload or {}).get(_STAMP))) for r in records)
            if offset is None:
                return

    def delete(self, collection: Collection, document_ids: Sequence[uuid.UUID]) -> None:
        """Remove points."""
        with self._errors():
            for start in range(0, len(document_ids), _PAGE):
                ids: list[int | str | uuid.UUID] = [str(one) for one in document_ids[start : start + _PAGE]]
                self._client.delete(collection, models.PointIdsList(points=ids), wait=True)

    def exists(self, collection: Collection) -> bool:
        """Whether the collection was ever made."""
        with self._errors():
            return self._client.collection_exists(collection)

    def count(self, collection: Collection) -> int:
        """Points in a collection."""
        with self._errors():
            return self._client.count(collection, exact=True).count

    def search(
        self,
        vector: NDArray[np.float32],
        ticker: str,
        known_at: datetime,
        limit: int,
        collections: Sequence[Collection] = COLLECTIONS,
    ) -> list[Hit]:
        """The documents nearest to `vector`, best first over all the collections.

        Only documents of the ticker or of the whole market, known at `known_at` or before.
        """
        found = models.Filter(
            must=[
                models.FieldCondition(key="ticker", match=models.MatchAny(any=[ticker, WHOLE_MARKET])),
                models.FieldCondition(key="known_at", range=models.DatetimeRange(lte=known_at)),
            ]
        )
        hits: list[Hit] = []
        with self._errors():
            for collection in collections:
                answer = self._client.query_points(
                    collection, query=vector.tolist(), query_filter=found, limit=limit, with_payload=True
                )
                hits += [Hit(point.score, _document(collection, point)) for point in answer.points]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _check(self, collection: Collection, dimensions: int) -> None:
        params = self._client.get_collection(collection).config.params.vectors
        if not isinstance(params, models.VectorParams):
            raise FatalError(f"collection {collection} has named vectors", _remedy(collection))
        if params.size != dimensions:
            raise FatalError(
                f"collection {collection} has vectors of size {params.size}, the embedding model makes {dimensions}",
                _remedy(collection),
            )
        if params.distance != models.Distance.COSINE:
            raise FatalError(f"collection {collection} has the distance {params.distance}", _remedy(collection))

    def _create(self, collection: Collection, dimensions: int) -> None:
        self._client.create_collection(
            collection,
            vectors_config=models.VectorParams(size=dimensions, distance=models.Distance.COSINE),
            shard_number=self._shards,
            replication_factor=self._replicas,
        )
        self._client.create_payload_index(collection, "ticker", models.PayloadSchemaType.KEYWORD)
        self._client.create_payload_index(collection, "known_at", models.PayloadSchemaType.DATETIME)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The client's errors as the product's."""
        try:
            yield
        except ResponseHandlingException as error:
            raise RetryableError(f"Qdrant at {self._url} does not answer: {error}", "`riskee status`") from error
        except UnexpectedResponse as error:
            kind = RetryableError if error.status_code in (429, None) or error.status_code >= 500 else FatalError
            content = error.content.decode(errors="replace")[:300]
            raise kind(
                f"Qdrant at {self._url} answers {error.status_code}: {content}", "`riskee logs qdrant`"
            ) from error
        except ApiException as error:
            raise FatalError(f"Qdrant at {self._url} does not take the request: {error}") from error


def content_stamp(content_sha256: str, model: str) -> str:
    """Changes when the document or the model that embeds it does."""
    return f"{model}:{content_sha256}"


def _remedy(collection: Collection) -> str:
    return (
        f"set RISKEE_EMBEDDING__MODEL back, or delete the collection {collection} and materialise "
        f"embeddings/{collection} in Dagster"
    )


def _payload(document: Document, model: str) -> dict[str, Any]:
    payload: dict[str, Any] = msgspec.to_builtins(document)
    del payload["collection"]
    payload["ticker"] = document.ticker or WHOLE_MARKET
    return payload | {_STAMP: content_stamp(document.content_sha256, model)}


def _document(collection: Collection, point: models.ScoredPoint) -> Document:
    payload = dict(point.payload or {})
    fields: dict[str, Any] = {name: payload.get(name) for name in Document.__struct_fields__}
    if fields["ticker"] == WHOLE_MARKET:
        fields["ticker"] = None
    return msgspec.convert(fields | {"collection": collection}, Document)
