"""Finding the documents of an explanation: of the ticker or the whole market, known at the prediction's data time."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from riskee.documents.document import COLLECTIONS, Collection, document_path
from riskee.embedding.embedder import Embedder
from riskee.errors import RiskeeError
from riskee.explanation import ranking, wording
from riskee.explanation.digitless import sentences
from riskee.explanation.ranking import Ranked
from riskee.logs import get_logger
from riskee.messaging.explanations import Driver, SourceDocument
from riskee.messaging.messages import Prediction
from riskee.settings.retrieval import RetrievalSettings
from riskee.storage.vectors import Hit

_SNIPPET = 600
# Searches side by side; the others wait for a thread, which is not a fault of the server.
_THREADS = 2 * len(COLLECTIONS)
# For a thread and its search together, however many wait.
_LONGEST_WAIT = 10.0

_log = get_logger(__name__)


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
class Found:
    """The documents, best first, and the collections that could not be searched."""

    documents: tuple[SourceDocument, ...]
    unsearched: tuple[Collection, ...] = ()


@dataclass(frozen=True)
class Retrieval:
    """Searches the five collections side by side and ranks what they have."""

    embedder: Embedder
    vectors: Search
    documents: int
    settings: RetrievalSettings = field(default_factory=RetrievalSettings)
    # Searches have threads of their own: checks, records and attributions do not hold them up.
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "search"))
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_THREADS))

    async def found(self, prediction: Prediction, drivers: Sequence[Driver]) -> Found:
        """At most `documents` of them. A collection that fails or is late is left out and said to be."""
        queries = [query(collection, prediction, drivers) for collection in COLLECTIONS]
        vectors = await asyncio.to_thread(self.embedder.encode, queries)
        searches = [
            self._search(collection, vector, prediction)
            for collection, vector in zip(COLLECTIONS, vectors, strict=True)
        ]
        answers = await asyncio.gather(*searches)
        hits = [hit for answer in answers for hit in answer or ()]
        usable = ranking.known(hits, prediction.ticker, prediction.data_time)
        if len(usable) < len(hits):
            _log.error("documents from the future or of others came back", ticker=prediction.ticker, hits=len(hits))
        best = ranking.ranked(usable, prediction.data_time, self.settings, self.documents)
        return Found(
            tuple(map(_source, best)),
            tuple(one for one, answer in zip(COLLECTIONS, answers, strict=True) if answer is None),
        )

    async def _search(
        self, collection: Collection, vector: NDArray[np.float32], prediction: Prediction
    ) -> list[Hit] | None:
        """What a collection has, None where it does not answer."""
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_LONGEST_WAIT), self._free:
                search = asyncio.get_running_loop().run_in_executor(
                    self._threads,
                    self.vectors.search,
                    vector,
                    prediction.ticker,
                    prediction.data_time,
                    self.settings.candidates,
                    (collection,),
                )
                # Only from here on: the time that a search takes, not that of waiting for a thread.
                return await asyncio.wait_for(search, self.settings.timeout_seconds)
        except TimeoutError:
            waited = asyncio.get_running_loop().time() - began
            _log.warning("a collection does not answer", collection=collection, seconds=round(waited, 1))
        except RiskeeError as error:
            _log.warning("a collection could not be searched", collection=collection, cause=str(error))
        return None


def query(collection: Collection, prediction: Prediction, drivers: Sequence[Driver]) -> str:
    """What is searched for in a collection: the facts of the prediction in the words of its documents."""
    way = "gain" if prediction.p_up >= 0.5 else "loss"
    moved_by = ", ".join(driver.name for driver in drivers)
    return {
        "market_news": f"{prediction.ticker} {moved_by}",
        "earnings_calls": f"{prediction.ticker} reported results: revenue, sales, margins and earnings per share "
        "against the year before",
        "economic_indicators": "United States economy, inflation and interest rates",
        "technical_patterns": f"{prediction.ticker} pattern of {moved_by}",
        "prediction_context": f"the {prediction.model_type} model expected a {way} of {prediction.ticker}",
    }[collection]


def _source(found: Ranked) -> SourceDocument:
    document = found.document
    return SourceDocument(
        document_id=document.document_id,
        collection=document.collection,
        title=document.title,
        snippet=_snippet(document.body),
        source=document.source,
        published_at=document.published_at,
        score=found.score,
        ticker=document.ticker,
        known_at=document.known_at,
        url=document_path(document.document_id),
    )


def _snippet(body: str) -> str:
    """The first whole sentences that fit, of those that can be reported where there are any; a piece of the first
    where that is too long."""
    whole = sentences(body)
    kept = ""
    for sentence in [one for one in whole if wording.reportable(one)] or whole:
        if len(kept) + len(sentence) >= _SNIPPET:
            break
        kept = f"{kept} {sentence}".strip()
    return kept or body[:_SNIPPET]
