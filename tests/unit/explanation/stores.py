"""A stand-in for the vector server: one fake for all tests of retrieval."""

from collections.abc import Sequence
from datetime import datetime

from riskee.documents.document import COLLECTIONS, Collection, Document
from riskee.embedding.embedder import Vectors
from riskee.errors import RetryableError
from riskee.storage.vectors import Hit


class Store:
    """Gives what it holds, best first, whatever it is asked for: a search that forgets its conditions. Fails for the
    collections that are `away`; `pause` is called with each search."""

    def __init__(self, *hits: tuple[float, Document], away: Sequence[Collection] = ()) -> None:
        self._hits = [Hit(score, document) for score, document in hits]
        self._away = away

    def pause(self) -> None:
        """Nothing; a test may take time here."""

    def search(
        self,
        vector: Vectors,
        ticker: str,
        known_at: datetime,
        limit: int,
        collections: Sequence[Collection] = COLLECTIONS,
    ) -> list[Hit]:
        self.pause()
        if not set(collections).isdisjoint(self._away):
            raise RetryableError("Qdrant does not answer", "see its log")
        return [hit for hit in self._hits if hit.document.collection in collections]
