"""Finding the documents of an explanation: of the ticker or the whole market, known at the prediction's data time."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from riskee.documents.document import COLLECTIONS, Collection
from riskee.embedding.embedder import Embedder
from riskee.explanation.digitless import sentences
from riskee.messaging.explanations import Driver, SourceDocument
from riskee.messaging.messages import Prediction
from riskee.storage.vectors import Hit

_CANDIDATES = 8
_SNIPPET = 600
# A document counts half as much for each year that it is older.
_HALF_LIFE = timedelta(days=365)


class Search(Protocol):
    """`riskee.storage.vectors.Vectors.search`."""

    def search(
        self,
        vector: NDArray[np.float32],
        ticker: str,
        known_at: datetime,
        limit: int,
        collections: Sequence[Collection] = COLLECTIONS,
    ) -> list[Hit]: ...


@dataclass(frozen=True)
class Retrieval:
    """Searches every collection and keeps the best document of each of the best collections."""

    embedder: Embedder
    vectors: Search
    documents: int

    async def documents_for(self, prediction: Prediction, drivers: Sequence[Driver]) -> tuple[SourceDocument, ...]:
        """At most `documents` of them, best first. Raises RiskeeError as the vector store does."""
        queries = [_query(collection, prediction, drivers) for collection in COLLECTIONS]
        vectors = await asyncio.to_thread(self.embedder.encode, queries)
        best: list[SourceDocument] = []
        for collection, vector in zip(COLLECTIONS, vectors, strict=True):
            hits = await asyncio.to_thread(
                self.vectors.search, vector, prediction.ticker, prediction.data_time, _CANDIDATES, (collection,)
            )
            ranked = sorted((_source(hit, prediction.data_time) for hit in hits), key=lambda found: -found.score)
            best += ranked[:1]
        return tuple(sorted(best, key=lambda found: -found.score)[: self.documents])


def _query(collection: Collection, prediction: Prediction, drivers: Sequence[Driver]) -> str:
    way = "gain" if prediction.p_up >= 0.5 else "loss"
    moved_by = ", ".join(driver.name for driver in drivers)
    return {
        "market_news": f"{prediction.ticker} {moved_by}",
        "earnings_calls": f"{prediction.ticker} reported results",
        "economic_indicators": "United States economy, inflation and interest rates",
        "technical_patterns": f"{prediction.ticker} pattern of {moved_by}",
        "prediction_context": f"the {prediction.model_type} model expected a {way} of {prediction.ticker}",
    }[collection]


def _source(hit: Hit, now: datetime) -> SourceDocument:
    document = hit.document
    age = max(now - document.known_at, timedelta())
    return SourceDocument(
        document_id=document.document_id,
        collection=document.collection,
        title=document.title,
        snippet=_snippet(document.body),
        source=document.source,
        published_at=document.published_at,
        score=hit.score * math.exp2(-age / _HALF_LIFE),
    )


def _snippet(body: str) -> str:
    """The first whole sentences that fit; a piece of the first where that is too long."""
    kept = ""
    for sentence in sentences(body):
        if len(kept) + len(sentence) >= _SNIPPET:
            break
        kept = f"{kept} {sentence}".strip()
    return kept or body[:_SNIPPET]
