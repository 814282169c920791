"""Request bodies: what is listed here is supported, any other field is refused."""

from typing import Any, Literal, TypeVar

import msgspec

from infra.embedded.qdrant_front.refusal import bad

PointId = int | str
Filter = dict[str, Any]
BodyT = TypeVar("BodyT")


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all bodies."""


class VectorParams(Body, frozen=True):
    """The one unnamed vector of a collection; the storage hints are taken and change nothing here."""

    size: int
    distance: Literal["Cosine", "Euclid", "Dot", "Manhattan"]
    hnsw_config: Any = None
    quantization_config: Any = None
    on_disk: bool | None = None


class CreateCollection(Body, frozen=True):
    """`PUT /collections/{name}`. Tuning for a server's storage, or for a cluster, is taken and changes nothing here."""

    vectors: VectorParams
    shard_number: int | None = None
    replication_factor: int | None = None
    hnsw_config: Any = None
    optimizers_config: Any = None
    quantization_config: Any = None
    on_disk_payload: bool | None = None


class CreateIndex(Body, frozen=True):
    """`PUT /collections/{name}/index`."""

    field_name: str
    field_schema: Literal["keyword", "integer", "float", "bool", "datetime", "uuid"]


class Point(Body, frozen=True):
    """A point with its one vector."""

    id: PointId
    vector: list[float]
    payload: dict[str, Any] | None = None


class Batch(Body, frozen=True):
    """Points, column by column."""

    ids: list[PointId]
    vectors: list[list[float]]
    payloads: list[dict[str, Any] | None] | None = None


class Upsert(Body, frozen=True):
    """`PUT /collections/{name}/points`: one of the two forms."""

    points: list[Point] | None = None
    batch: Batch | None = None


class Delete(Body, frozen=True):
    """`POST …/points/delete`: by ids or by filter."""

    points: list[PointId] | None = None
    filter: Filter | None = None


class PayloadSelector(Body, frozen=True):
    """Which payload fields to return."""

    include: list[str] | None = None
    exclude: list[str] | None = None


WithPayload = bool | list[str] | PayloadSelector | None


class Nearest(Body, frozen=True):
    """A query by vector."""

    nearest: list[float]


class SearchParams(Body, frozen=True):
    """Search tuning. All searches here scan, so the HNSW parameter can only do less than asked for by default."""

    exact: bool | None = None
    hnsw_ef: int | None = None
    indexed_only: Literal[False] | None = None


class Query(Body, frozen=True):
    """`POST …/points/query`: the nearest points of one vector."""

    query: list[float] | Nearest
    filter: Filter | None = None
    params: SearchParams | None = None
    score_threshold: float | None = None
    limit: int = 10
    offset: int = 0
    using: Literal[""] | None = None
    with_payload: WithPayload = False
    with_vector: bool | None = None


class Scroll(Body, frozen=True):
    """`POST …/points/scroll`."""

    offset: PointId | None = None
    limit: int = 10
    filter: Filter | None = None
    with_payload: WithPayload = True
    with_vector: bool | None = None


class Count(Body, frozen=True):
    """`POST …/points/count`; the answer is always exact."""

    filter: Filter | None = None
    exact: bool | None = None


class Retrieve(Body, frozen=True):
    """`POST …/points`."""

    ids: list[PointId]
    with_payload: WithPayload = True
    with_vector: bool | None = None


def decode(body: bytes, kind: type[BodyT]) -> BodyT:
    """The body as `kind`. Raises RequestError (400) naming the field that is wrong or not supported."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise bad(f"JSON body is malformed or has a field that the embedded vector server lacks: {error}") from error
