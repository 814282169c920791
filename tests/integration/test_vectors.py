"""`riskee.storage.vectors` against the embedded vector server."""

import dataclasses
import signal
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from riskee.documents.document import COLLECTIONS, Collection, Document
from riskee.errors import FatalError, RetryableError
from riskee.settings import VectorSettings
from riskee.storage.vectors import Vectors, content_stamp
from tests.integration.front_server import FrontServer

pytestmark = pytest.mark.integration

SIZE = 8
START = datetime(2012, 9, 4, 20, tzinfo=UTC)
MODEL = "test-model"


@dataclasses.dataclass
class Running:
    server: FrontServer
    vectors: Vectors


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    server = FrontServer("infra.embedded.qdrant_front", ["--data", str(tmp_path)], "/readyz")
    vectors = Vectors(VectorSettings(url=server.url))
    vectors.ensure_collections(SIZE)
    yield Running(server, vectors)
    vectors.close()
    server.end(signal.SIGTERM)


def document(number: int, ticker: str | None = "AAPL", collection: Collection = "market_news") -> Document:
    return Document(
        document_id=uuid.uuid5(uuid.NAMESPACE_URL, f"{collection} {number}"),
        collection=collection,
        ticker=ticker,
        title=f"title {number}",
        body=f"body {number}",
        source="test",
        published_at=START + timedelta(days=number),
        known_at=START + timedelta(days=number, hours=1),
    )


def unit(axis: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    vector = np.zeros(SIZE, dtype=np.float32)
    vector[axis] = 1
    return vector


def test_creates_the_five_collections_and_again_without_harm(running: Running) -> None:
    running.vectors.ensure_collections(SIZE)
    assert [running.vectors.count(collection) for collection in COLLECTIONS] == [0] * 5


def test_what_is_said_of_a_cluster_does_no_harm_to_the_embedded_server(running: Running) -> None:
    told = Vectors(VectorSettings(url=running.server.url, shards=3, replicas=2))
    running.vectors._client.delete_collection("market_news")
    told.ensure_collections(SIZE)
    told.upsert([document(0)], np.stack([unit(0)]), MODEL)
    assert running.vectors.count("market_news") == 1
    told.close()


def test_another_vector_size_is_a_clear_error(running: Running) -> None:
    with pytest.raises(FatalError, match=r"market_news has vectors of size 8, the embedding model makes 768"):
        running.vectors.ensure_collections(768)


def test_finds_a_document_whole_and_best_first(running: Running) -> None:
    documents = [document(0), document(1)]
    running.vectors.upsert(documents, np.stack([unit(0), unit(1)]), MODEL)
    query = np.float32(0.9) * unit(1) + np.float32(0.4) * unit(0)
    hits = running.vectors.search(query, "AAPL", START + timedelta(days=9), 5)
    assert [hit.document for hit in hits] == [documents[1], documents[0]]
    assert hits[0].score == pytest.approx(0.9 / np.hypot(0.9, 0.4), abs=1e-3)


def test_never_finds_what_was_not_known_yet(running: Running) -> None:
    running.vectors.upsert([document(3)], unit(0)[None], MODEL)
    known_at = document(3).known_at
    before = running.vectors.search(unit(0), "AAPL", known_at - timedelta(seconds=1), 5)
    at = running.vectors.search(unit(0), "AAPL", known_at, 5)
    assert (len(before), len(at)) == (0, 1)


def test_finds_the_ticker_and_the_whole_market_over_all_collections(running: Running) -> None:
    for collection in COLLECTIONS:
        documents = [document(n, ticker, collection) for n, ticker in enumerate(("AAPL", "IBM", None))]
        running.vectors.upsert(documents, np.stack([unit(0)] * 3), MODEL)
    hits = running.vectors.search(unit(0), "IBM", START + timedelta(days=9), 99)
    assert {(hit.document.collection, hit.document.ticker) for hit in hits} == {
        (collection, ticker) for collection in COLLECTIONS for ticker in ("IBM", None)
    }
    assert len(running.vectors.search(unit(0), "IBM", START + timedelta(days=9), 3)) == 3
    only = running.vectors.search(unit(0), "IBM", START + timedelta(days=9), 99, ["earnings_calls"])
    assert {hit.document.collection for hit in only} == {"earnings_calls"}


def test_embedding_again_overwrites_and_stamps_tell_what_is_stored(running: Running) -> None:
    first = document(0)
    changed = msgspec.structs.replace(first, body="mended")
    running.vectors.upsert([first], unit(0)[None], MODEL)
    running.vectors.upsert([changed], unit(1)[None], MODEL)
    stamp = content_stamp(changed.content_sha256, MODEL)
    assert list(running.vectors.stamps("market_news")) == [(first.document_id, stamp)]
    assert stamp != content_stamp(first.content_sha256, MODEL)


def test_stamps_pages_through_everything_in_order_and_delete_removes(running: Running) -> None:
    documents = [document(number) for number in range(1100)]
    running.vectors.upsert(documents, np.stack([unit(n % SIZE) for n in range(1100)]), MODEL)
    ids = [document_id for document_id, _ in running.vectors.stamps("market_news")]
    assert ids == sorted(d.document_id for d in documents)
    running.vectors.delete("market_news", [d.document_id for d in documents[1:]])
    assert running.vectors.count("market_news") == 1


def test_a_missing_collection_is_fatal_and_says_so(running: Running) -> None:
    missing: Collection = "nonesuch"  # type: ignore[assignment]
    with pytest.raises(FatalError, match="404"):
        running.vectors.count(missing)


def test_a_stopped_server_is_retryable(running: Running) -> None:
    running.server.end(signal.SIGKILL)
    with pytest.raises(RetryableError, match="does not answer"):
        running.vectors.count("market_news")
