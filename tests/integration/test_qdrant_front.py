"""The vector front, driven by the real Qdrant client over HTTP."""

import signal
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.common.version_check import is_compatible
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.integration.front_server import FrontServer

pytestmark = pytest.mark.integration

SIZE = 16
COUNT = 300
NEWS = "market_news"
START = datetime(2020, 1, 1, tzinfo=UTC)
TICKERS = ("AAPL", "IBM", "MSFT")


def start(data: Path) -> FrontServer:
    return FrontServer("infra.embedded.qdrant_front", ["--data", str(data)], "/readyz")


def vectors() -> np.ndarray[Any, Any]:
    raw = np.random.default_rng(7).normal(size=(COUNT, SIZE)).astype(np.float32)
    return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True))


def point_id(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"document {number}"))


def points() -> list[models.PointStruct]:
    return [
        models.PointStruct(
            id=point_id(number),
            vector=vector.tolist(),
            payload={
                "ticker": TICKERS[number % 3],
                "known_at": (START + timedelta(days=number)).isoformat(),
                "number": number,
                "tags": ["even" if number % 2 == 0 else "odd"],
            },
        )
        for number, vector in enumerate(vectors())
    ]


def fill(client: QdrantClient) -> None:
    client.create_collection(NEWS, vectors_config=models.VectorParams(size=SIZE, distance=models.Distance.COSINE))
    client.create_payload_index(NEWS, "ticker", models.PayloadSchemaType.KEYWORD)
    client.create_payload_index(NEWS, "known_at", models.PayloadSchemaType.DATETIME)
    client.upsert(NEWS, points=points(), wait=True)


def connect(server: FrontServer) -> QdrantClient:
    # The check of versions would run in a thread of its own, past a server that a test kills.
    return QdrantClient(url=server.url, prefer_grpc=False, timeout=60, check_compatibility=False)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantClient]:
    server = start(tmp_path_factory.mktemp("qdrant"))
    connected = connect(server)
    fill(connected)
    yield connected
    connected.close()
    server.end()


def matching(key: str, value: Any) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def numbers(found: models.QueryResponse) -> list[int]:
    return [point.payload["number"] for point in found.points if point.payload]


def test_search_finds_the_nearest_in_order(client: QdrantClient) -> None:
    query = vectors()[5]
    expected = np.argsort(-(vectors() @ query))[:10].tolist()
    found = client.query_points(NEWS, query=query.tolist(), limit=10, with_payload=True)
    assert numbers(found) == expected
    assert found.points[0].id == point_id(5)
    assert found.points[0].score == pytest.approx(1.0, abs=1e-5)
    assert found.points[3].score == pytest.approx(float(vectors()[expected[3]] @ query), abs=1e-5)


def test_search_keeps_to_ticker_and_date(client: QdrantClient) -> None:
    latest = START + timedelta(days=100)
    found = client.query_points(
        NEWS,
        query=vectors()[5].tolist(),
        limit=COUNT,
        with_payload=True,
        query_filter=models.Filter(
            must=[
                matching("ticker", "AAPL"),
                models.FieldCondition(key="known_at", range=models.DatetimeRange(lte=latest)),
            ]
        ),
    )
    assert sorted(numbers(found)) == list(range(0, 101, 3))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (models.Filter(must=[matching("ticker", "IBM")]), COUNT // 3),
        (models.Filter(must_not=[matching("ticker", "IBM")]), 2 * COUNT // 3),
        (models.Filter(should=[matching("number", 3), matching("number", 4)]), 2),
        (models.Filter(must=models.Filter(should=[matching("number", 3), matching("number", 4)])), 2),
        (models.Filter(must=[matching("tags", "odd")]), COUNT // 2),
        (models.Filter(must=[models.FieldCondition(key="number", match=models.MatchAny(any=[1, 2, 999]))]), 2),
        (
            models.Filter(must=[models.FieldCondition(key="ticker", match=models.MatchExcept(**{"except": ["IBM"]}))]),
            200,
        ),
        (models.Filter(must=[models.FieldCondition(key="number", range=models.Range(gt=10, lte=20.5))]), 10),
        (models.Filter(must=[models.HasIdCondition(has_id=[point_id(1), 77])]), 1),
        (models.Filter(must=[models.IsEmptyCondition(is_empty=models.PayloadField(key="source"))]), COUNT),
    ],
)
def test_filters_count_what_they_say(client: QdrantClient, condition: models.Filter, expected: int) -> None:
    assert client.count(NEWS, count_filter=condition).count == expected


def test_scroll_passes_every_point_once(client: QdrantClient) -> None:
    seen: list[Any] = []
    offset = None
    while True:
        page, offset = client.scroll(NEWS, limit=70, offset=offset, with_payload=["number"])
        seen += [record.payload["number"] for record in page if record.payload and record.payload.keys() == {"number"}]
        if offset is None:
            break
    assert sorted(seen) == list(range(COUNT))


def test_retrieve_leaves_out_unknown_ids(client: QdrantClient) -> None:
    found = client.retrieve(NEWS, ids=[point_id(4), str(uuid.uuid4())], with_vectors=True)
    assert [record.id for record in found] == [point_id(4)]
    assert found[0].payload == points()[4].payload
    np.testing.assert_allclose(np.asarray(found[0].vector), vectors()[4], atol=1e-6)


def test_upsert_overwrites_and_delete_removes(client: QdrantClient) -> None:
    name = "economic_indicators"
    client.create_collection(name, vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE))
    assert client.collection_exists(name)
    client.upsert(
        name, points=models.Batch(ids=[1, 2, 3], vectors=[[1, 0], [0, 1], [1, 1]], payloads=[{"a": 1}, {}, {}])
    )
    client.upsert(name, points=[models.PointStruct(id=1, vector=[0.0, 2.0], payload={"a": 2})])
    assert client.count(name).count == 3
    assert client.retrieve(name, ids=[1])[0].payload == {"a": 2}
    client.delete(name, points_selector=[2])
    client.delete(name, points_selector=models.Filter(must=[matching("a", 2)]))
    assert [record.id for record in client.scroll(name)[0]] == [3]
    assert client.delete_collection(name)
    assert not client.delete_collection(name)
    assert not client.collection_exists(name)


def test_collection_info_is_what_the_client_expects(client: QdrantClient) -> None:
    info = client.get_collection(NEWS)
    assert info.points_count == COUNT
    assert info.config.params.vectors == models.VectorParams(size=SIZE, distance=models.Distance.COSINE)
    assert {field: index.data_type.value for field, index in info.payload_schema.items()} == {
        "ticker": "keyword",
        "known_at": "datetime",
    }
    assert NEWS in [one.name for one in client.get_collections().collections]


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        (lambda c: c.count("nothing"), 404, "Collection `nothing` doesn't exist"),
        (lambda c: c.query_points(NEWS, query=[1.0, 2.0]), 400, "expected dim: 16, got 2"),
        (lambda c: c.count(NEWS, count_filter=models.Filter(must=[matching("ok", True)])), 400, "booleans"),
        (
            lambda c: c.count(
                NEWS,
                count_filter=models.Filter(
                    must=[models.FieldCondition(key="ticker", match=models.MatchText(text="apple"))]
                ),
            ),
            501,
            "match by 'text'",
        ),
        (lambda c: c.query_points(NEWS, query=point_id(1)), 400, "query"),
        (lambda c: c.query_points(NEWS, query=models.SampleQuery(sample=models.Sample.RANDOM)), 400, "sample"),
        (lambda c: c.scroll(NEWS, order_by="number"), 400, "order_by"),
        (lambda c: c.set_payload(NEWS, payload={"a": 1}, points=[1]), 501, "points/payload"),
        (lambda c: c.create_snapshot(NEWS), 501, "snapshots"),
        (
            lambda c: c.create_collection(NEWS, vectors_config=models.VectorParams(size=3, distance="Cosine")),
            409,
            "already exists",
        ),
        (
            lambda c: c.create_collection("two", vectors_config={"a": models.VectorParams(size=3, distance="Cosine")}),
            400,
            "vectors",
        ),
        (
            lambda c: c.create_collection("../up", vectors_config=models.VectorParams(size=3, distance="Dot")),
            501,
            "PUT",
        ),
        (lambda c: c.create_collection("a b", vectors_config=models.VectorParams(size=3, distance="Dot")), 400, "name"),
        (lambda c: c.upsert(NEWS, points=[models.PointStruct(id="x", vector=[0.0] * SIZE)]), 400, "point id 'x'"),
    ],
)
def test_what_is_not_supported_is_refused(client: QdrantClient, call: Any, status: int, words: str) -> None:
    with pytest.raises(UnexpectedResponse) as refused:
        call(client)
    assert refused.value.status_code == status
    assert words in refused.value.content.decode()


def test_the_client_takes_the_version_for_compatible(client: QdrantClient) -> None:
    assert is_compatible(version("qdrant-client"), client.info().version)


def test_killed_server_keeps_every_acknowledged_write(tmp_path: Path) -> None:
    server = start(tmp_path)
    first = connect(server)
    fill(first)
    first.close()
    server.end(signal.SIGKILL)
    server = start(tmp_path)
    try:
        second = connect(server)
        assert [one.name for one in second.get_collections().collections] == [NEWS]
        assert second.count(NEWS).count == COUNT
        found = second.query_points(NEWS, query=vectors()[9].tolist(), limit=1, with_payload=True)
        assert numbers(found) == [9]
        assert second.get_collection(NEWS).payload_schema.keys() == {"ticker", "known_at"}
        second.close()
    finally:
        server.end()


def test_second_server_on_the_same_data_does_not_start(tmp_path: Path) -> None:
    server = start(tmp_path)
    try:
        with pytest.raises(AssertionError, match="ended with 1"):
            start(tmp_path)
        assert httpx.get(f"{server.url}/").json()["version"].startswith("1.20.")
    finally:
        assert server.end() in {0, -signal.SIGTERM}
