"""A small market with predictions of one session, documents on it, and an embedder. It is fetched once into the
checkout's `.riskee/blobs`, where the product keeps it too.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from riskee.documents.document import COLLECTIONS, Document
from riskee.embedding import Embedder, make_embedder
from riskee.messaging.subjects import QUOTE
from riskee.settings import EmbeddingSettings, Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.vectors import Vectors
from serving.consumers import predict, record
from tests.integration.conftest import consumer, eventually
from tests.integration.explain.desk import BLOB_HOME, HIDDEN, Desk, made_document
from tests.integration.live_data import Market, fill
from tests.integration.test_predict_service import waves


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return make_embedder(EmbeddingSettings(), BLOB_HOME)


@pytest.fixture
def market(database_settings: Settings) -> Iterator[Market]:
    engine = make_engine(database_settings.database.url, 2)
    yield _filled(engine)
    engine.dispose()


def _filled(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection)


@pytest.fixture
def documents(settings: Settings, embedder: Embedder, market: Market) -> Iterator[list[Document]]:
    """Three documents that the prediction may use, one of them hostile, and one from its future."""
    then = market.sessions[-40].closes_at
    # In the order of their age: a small model writes better of what does not look like the prompt's example.
    before, long_before = then - timedelta(days=1), then - timedelta(days=90)
    made = [
        made_document("market_news", "IBM jumped 3.8% on 19 July 2012", "IBM gained 3.8% in the session.", long_before),
        made_document("earnings_calls", "IBM reported results", f"IBM gained after the report. {HIDDEN}", before),
        made_document("technical_patterns", "IBM: one-year high", "For IBM, the close rose above every close.", then),
        made_document(
            "prediction_context", "IBM collapsed", "IBM lost 99% in the session.", then + timedelta(days=400)
        ),
    ]
    vectors = Vectors(settings.vectors)
    vectors.ensure_collections(embedder.dimensions, COLLECTIONS)
    for collection in COLLECTIONS:  # other tests leave theirs in the collections that all share
        vectors.delete(collection, [document_id for document_id, _ in vectors.stamps(collection)])
    for document in made:
        vectors.upsert([document], embedder.encode([document.text]), embedder.name)
    yield made
    for document in made:
        vectors.delete(document.collection, [document.document_id])
    vectors.close()


@pytest.fixture
async def desk(bus: Bus, cache: Cache, database_settings: Settings, market: Market) -> AsyncIterator[Desk]:
    """A desk that has heard the predictions of one session, whose quotes are recorded."""
    desk = Desk(bus)
    await desk.attach()
    final = market.sessions[-30].closes_at
    async with (
        consumer("record", database_settings, record.main),
        consumer("predict", database_settings, predict.main),
    ):
        for wave in waves(market, -30):
            await bus.publish(QUOTE, *wave)
        await eventually(
            lambda: len(desk.predictions) == 3 and all(p.data_time == final for p in desk.predictions.values())
        )
        yield desk
