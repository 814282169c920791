"""One collection: a shard of the engine and the operations on it."""

from pathlib import Path
from typing import Any

import msgspec
import qdrant_edge as edge

from infra.embedded.qdrant_front import requests as bodies
from infra.embedded.qdrant_front.filters import to_filter, to_point_id
from infra.embedded.qdrant_front.refusal import bad

OPTIMISE_AFTER_POINTS = 10_000
_MAX_SEGMENT_KB = 40_000
_FIELD_TYPES = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
    "uuid": edge.PayloadSchemaType.Uuid,
}


def engine_config(vectors: bodies.VectorParams) -> edge.EdgeConfig:
    """No index and no quantisation: every search is exact, and no index build stops every request."""
    return edge.EdgeConfig(
        vectors=edge.EdgeVectorParams(size=vectors.size, distance=getattr(edge.Distance, vectors.distance)),
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000),
        optimizers=edge.EdgeOptimizersConfig(max_segment_size=_MAX_SEGMENT_KB),
    )


class Collection:
    """An open collection. Not thread-safe: the server calls it from its one event loop."""

    def __init__(self, folder: Path, vectors: bodies.VectorParams) -> None:
        self.vectors = vectors
        self._shard = edge.EdgeShard.load(str(folder / "shard"))
        self._unflushed = False
        self._unoptimised = 0

    def upsert(self, request: bodies.Upsert) -> None:
        """Write points; durable against a killed process when this returns."""
        if (request.points is None) == (request.batch is None):
            raise bad("an upsert has either points or batch")
        points = _rows(request.batch) if request.batch is not None else request.points or []
        self._update(edge.UpdateOperation.upsert_points([self._point(one) for one in points]))
        self._unoptimised += len(points)

    def delete(self, request: bodies.Delete) -> None:
        """Delete points by id or by filter."""
        if (request.points is None) == (request.filter is None):
            raise bad("a deletion has either points or filter")
        if request.points is not None:
            ids: list[Any] = [to_point_id(one) for one in request.points]
            self._update(edge.UpdateOperation.delete_points(ids))
        else:
            self._update(edge.UpdateOperation.delete_points_by_filter(to_filter(request.filter) or edge.Filter()))

    def create_index(self, request: bodies.CreateIndex) -> None:
        """Index a payload field."""
        self._update(edge.UpdateOperation.create_field_index(request.field_name, _FIELD_TYPES[request.field_schema]))

    def query(self, request: bodies.Query) -> dict[str, Any]:
        """The nearest points, best first: always exactly those, whether `params.exact` asks for it or not."""
        vector = request.query if isinstance(request.query, list) else request.query.nearest
        self._check_size(vector)
        _check_page(request.limit, request.offset)
        found = self._shard.query(
            edge.QueryRequest(
                limit=request.limit,
                offset=request.offset,
                query=edge.Query.Nearest(vector),
                filter=to_filter(request.filter),
                score_threshold=request.score_threshold,
                # Collections made by an earlier version have quantised vectors beside the whole ones.
                params=edge.SearchParams(exact=True, quantization=edge.QuantizationSearchParams(ignore=True)),
                with_payload=_with_payload(request.with_payload),
                with_vector=bool(request.with_vector),
            )
        )
        return {"points": [{**_record(one), "version": one.version, "score": one.score} for one in found]}

    def scroll(self, request: bodies.Scroll) -> dict[str, Any]:
        """One page of points in the order of their ids."""
        _check_page(request.limit, 0)
        records, following = self._shard.scroll(
            edge.ScrollRequest(
                offset=None if request.offset is None else to_point_id(request.offset),
                limit=request.limit,
                filter=to_filter(request.filter),
                with_payload=_with_payload(request.with_payload),
                with_vector=bool(request.with_vector),
            )
        )
        return {"points": [_record(one) for one in records], "next_page_offset": _id(following)}

    def count(self, request: bodies.Count) -> dict[str, int]:
        """How many points match."""
        return {"count": self._shard.count(edge.CountRequest(exact=True, filter=to_filter(request.filter)))}

    def retrieve(self, request: bodies.Retrieve) -> list[dict[str, Any]]:
        """The points with these ids; unknown ids are left out, as in Qdrant."""
        ids: list[Any] = [to_point_id(one) for one in request.ids]
        found = self._shard.retrieve(ids, _with_payload(request.with_payload), bool(request.with_vector))
        return [_record(one) for one in found]

    def info(self) -> dict[str, Any]:
        """`GET /collections/{name}` in Qdrant's form."""
        info = self._shard.info()
        names = {member: name for name, member in _FIELD_TYPES.items()}
        schema = {
            field: {"data_type": names[index.data_type], "points": index.points}
            for field, index in info.payload_schema.items()
        }
        return {
            "status": "green",
            "optimizer_status": "ok",
            "points_count": info.points_count,
            "indexed_vectors_count": info.indexed_vectors_count,
            "segments_count": info.segments_count,
            "payload_schema": schema,
            "config": {
                "params": {"vectors": {"size": self.vectors.size, "distance": self.vectors.distance}},
                "hnsw_config": {"m": 0, "ef_construct": 100, "full_scan_threshold": 10_000},
                "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": 5},
            },
        }

    def tidy(self) -> None:
        """Work for an idle moment: flush what was written; merge segments after many new points."""
        if self._unoptimised >= OPTIMISE_AFTER_POINTS:
            self._shard.optimize()
            self._unoptimised = 0
        if self._unflushed:
            self._shard.flush()
            self._unflushed = False

    def close(self) -> None:
        """Flush and release the files."""
        self._shard.close()

    def _update(self, operation: edge.UpdateOperation) -> None:
        self._shard.update(operation)
        self._unflushed = True

    def _point(self, raw: bodies.Point) -> edge.Point:
        self._check_size(raw.vector)
        return edge.Point(to_point_id(raw.id), raw.vector, raw.payload)

    def _check_size(self, vector: list[float]) -> None:
        if len(vector) != self.vectors.size:
            raise bad(f"Vector dimension error: expected dim: {self.vectors.size}, got {len(vector)}")


def _rows(batch: bodies.Batch) -> list[bodies.Point]:
    payloads = batch.payloads if batch.payloads is not None else [None] * len(batch.ids)
    if not len(batch.ids) == len(batch.vectors) == len(payloads):
        raise bad("ids, vectors and payloads of a batch differ in length")
    return [bodies.Point(*row) for row in zip(batch.ids, batch.vectors, payloads, strict=True)]


def _check_page(limit: int, offset: int) -> None:
    if limit < 1 or offset < 0:
        raise bad(f"limit must be at least 1 and offset at least 0, not {limit} and {offset}")


def _with_payload(wanted: bodies.WithPayload) -> Any:
    if not isinstance(wanted, bodies.PayloadSelector):
        return bool(wanted) if wanted is None else wanted
    if (wanted.include is None) == (wanted.exclude is None):
        raise bad("a payload selector has either include or exclude")
    if wanted.include is not None:
        return edge.PayloadSelector.Include(wanted.include)
    return edge.PayloadSelector.Exclude(wanted.exclude or [])


def _id(raw: Any) -> bodies.PointId | None:
    return raw if raw is None or isinstance(raw, int) else str(raw)


def _record(raw: edge.ScoredPoint | edge.Record) -> dict[str, Any]:
    return {"id": _id(raw.id), "payload": raw.payload, "vector": raw.vector}


def save_vectors(folder: Path, vectors: bodies.VectorParams) -> None:
    """Keep what the engine does not tell about a collection."""
    (folder / "vectors.json").write_bytes(msgspec.json.encode({"size": vectors.size, "distance": vectors.distance}))


def load_vectors(folder: Path) -> bodies.VectorParams:
    """What `save_vectors` kept."""
    return msgspec.json.decode((folder / "vectors.json").read_bytes(), type=bodies.VectorParams)
