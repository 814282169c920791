"""Documents in memory, searched as the vector server searches, and by words for comparison."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from riskee.documents.document import COLLECTIONS, Collection, Document
from riskee.embedding.embedder import Embedder
from riskee.storage.vectors import Hit

# Robertson and Zaragoza 2009, as Lucene has them.
_K1, _B = 1.2, 0.75
_BATCH = 256
_WORD = re.compile(r"[a-z0-9][a-z0-9'&.-]*")


class Shelf:
    """Exact cosine search with the same conditions as `riskee.storage.vectors.Vectors`."""

    def __init__(self, documents: Sequence[Document], embedder: Embedder) -> None:
        self.documents = documents
        parts = [
            embedder.encode([document.text for document in documents[start : start + _BATCH]])
            for start in range(0, len(documents), _BATCH)
        ]
        self._vectors = np.concatenate(parts)
        self._words = [Counter(_WORD.findall(document.text.lower())) for document in documents]
        self._lengths = [sum(words.values()) for words in self._words]
        self._mean = sum(self._lengths) / max(1, len(self._lengths))
        self._holding = Counter(word for words in self._words for word in words)

    def eligible(self, ticker: str, known_at: datetime, collections: Sequence[Collection] = COLLECTIONS) -> list[int]:
        """The places of the documents that a search may return."""
        return [
            at
            for at, document in enumerate(self.documents)
            if document.ticker in (ticker, None)
            and document.known_at <= known_at
            and document.collection in collections
        ]

    def search(
        self,
        vector: NDArray[np.float32],
        ticker: str,
        known_at: datetime,
        limit: int,
        collections: Sequence[Collection] = COLLECTIONS,
    ) -> list[Hit]:
        """See `Vectors.search`."""
        places = self.eligible(ticker, known_at, collections)
        scores = self._vectors[places] @ vector
        best = np.argsort(-scores, kind="stable")[:limit]
        return [Hit(float(scores[at]), self.documents[places[at]]) for at in best]

    def nearest(self, vector: NDArray[np.float32], limit: int, collection: Collection) -> list[Document]:
        """By similarity alone: of any ticker and any time."""
        places = [at for at, document in enumerate(self.documents) if document.collection == collection]
        best = np.argsort(-(self._vectors[places] @ vector), kind="stable")[:limit]
        return [self.documents[places[at]] for at in best]

    def by_words(self, query: str, places: Sequence[int]) -> list[Document]:
        """The documents at `places` by BM25, best first."""
        wanted = _WORD.findall(query.lower())
        scores = {at: sum(self._bm25(word, at) for word in wanted) for at in places}
        return [self.documents[at] for at in sorted(scores, key=lambda at: -scores[at])]

    def _bm25(self, word: str, at: int) -> float:
        count = self._words[at][word]
        if not count:
            return 0.0
        holding = self._holding[word]
        rarity = math.log(1 + (len(self._words) - holding + 0.5) / (holding + 0.5))
        return rarity * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * self._lengths[at] / self._mean))
