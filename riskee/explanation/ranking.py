"""Ranking what was found: similarity, recency, ticker and substance in one score, then variety.

The score is a weighted mean of parts that each go from 0 to 1, as Qdrant's score boosting and LangChain's time-weighted
retriever add a decay to the similarity (exponential here, with a half-life: https://qdrant.tech/blog/decay-functions).
Cosines of one collection lie close together, and each collection is asked another question: so similarity is told by
the distance to the best of its collection, in spans, or its weight would be one of name only (Bruch et al., "An
Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 2023). Substance is how much of a document can be
reported: the embedding knows what a passage is about, not whether it says anything. Variety is maximal marginal
relevance (Carbonell and Goldstein, SIGIR 1998), its second similarity by words, so that nothing needs to be embedded
twice; near-duplicates by the resemblance of word sets (Broder 1997) are left out before.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from riskee.documents.document import Collection, Document
from riskee.explanation import wording
from riskee.explanation.digitless import sentences
from riskee.settings.retrieval import RetrievalSettings
from riskee.storage.vectors import Hit

# As alike as documents of one collection count at least: they tell of one kind of thing.
SAME_COLLECTION = 0.5
# So many sentences that say with a number which way something went are as much as a snippet holds.
_FULL_OF_SUBSTANCE = 3
_WORD = re.compile(r"[a-z][a-z'-]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Ranked:
    """A document that was found, with its score between 0 and 1."""

    document: Document
    score: float


def known(hits: Sequence[Hit], ticker: str, at: datetime) -> list[Hit]:
    """Those that may be used: known at that moment, of the ticker or of the whole market. The search asks for no
    others; a wrong one would be a look into the future, so what comes back is not trusted."""
    return [hit for hit in hits if hit.document.known_at <= at and hit.document.ticker in (ticker, None)]


def ranked(hits: Sequence[Hit], at: datetime, settings: RetrievalSettings, limit: int) -> list[Ranked]:
    """At most `limit` documents, best first: each the best beside those before it. A document without a number and
    a direction, such as the thanks at the end of a call, is taken only where there is no other."""
    telling = [hit for hit in hits if _NUMBER.search(hit.document.body) or wording.ways(hit.document.body)]
    pool = telling or hits
    best = _best(pool)
    scored = sorted((Ranked(hit.document, _score(hit, best, at, settings)) for hit in pool), key=_order)
    left = [(one, _words(one.document)) for one in _different(scored, settings.near_duplicate)]
    chosen: list[tuple[Ranked, frozenset[str]]] = []
    while left and len(chosen) < limit:
        worth = [
            (1 - settings.diversity) * one.score
            - settings.diversity * max((_alike(one, words, *other) for other in chosen), default=0.0)
            for one, words in left
        ]
        chosen.append(left.pop(worth.index(max(worth))))
    return [one for one, _ in chosen]


def _best(hits: Sequence[Hit]) -> Mapping[Collection, float]:
    """The highest similarity in each collection."""
    found: dict[Collection, float] = {}
    for hit in hits:
        collection = hit.document.collection
        found[collection] = max(hit.score, found.get(collection, hit.score))
    return found


def _score(hit: Hit, best: Mapping[Collection, float], at: datetime, settings: RetrievalSettings) -> float:
    document = hit.document
    age = max(at - document.known_at, timedelta()) / timedelta(days=settings.half_life_days)
    behind = (best[document.collection] - hit.score) / settings.similarity_span
    parts = (
        (settings.similarity, max(1 - behind, 0.0)),
        (settings.recency, math.exp2(-age)),
        (settings.ticker, float(document.ticker is not None)),
        (settings.substance, _substance(document)),
    )
    weight = sum(weight for weight, _ in parts)
    return sum(weight * part for weight, part in parts) / weight if weight else 0.0


def _substance(document: Document) -> float:
    """How much there is to report: sentences that say with a number which way something went."""
    telling = sum(bool(_NUMBER.search(one) and wording.ways(one)) for one in sentences(document.body))
    return min(telling / _FULL_OF_SUBSTANCE, 1.0)


def _order(one: Ranked) -> tuple[float, str]:
    return -one.score, str(one.document.document_id)


def _different(scored: Sequence[Ranked], near_duplicate: float) -> list[Ranked]:
    """Without those that say what a better one says: the same numbers in nearly the same words."""
    kept: list[tuple[Ranked, frozenset[str], frozenset[str]]] = []
    for one in scored:
        words, numbers = _words(one.document), frozenset(_NUMBER.findall(one.document.body))
        if not any(numbers == others and _resemblance(words, there) >= near_duplicate for _, there, others in kept):
            kept.append((one, words, numbers))
    return [one for one, _, _ in kept]


def _alike(one: Ranked, words: frozenset[str], other: Ranked, there: frozenset[str]) -> float:
    same = one.document.collection == other.document.collection
    return max(_resemblance(words, there), SAME_COLLECTION if same else 0.0)


def _resemblance(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0


def _words(document: Document) -> frozenset[str]:
    return frozenset(_WORD.findall(document.body.lower()))
