"""How well documents are found: by their dates and by hand, against plainer ways of finding.

Fresh is told by dates: the passages of a company's newest call known at a moment, or its posts of the last month. It
measures whether the newest is found, not whether it is worth quoting; that is what the labels by hand say
(`judgements`). An explanation wants both: what is telling and fresh.
"""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from riskee.documents.document import Collection
from riskee.embedding.embedder import Embedder
from riskee.explanation.quality.corpus import Corpus
from riskee.explanation.quality.judgements import Judged, read_judgements
from riskee.explanation.quality.measures import Mean, hit, mean, ndcg
from riskee.explanation.quality.questions import Question, is_held_back, question, questions_of
from riskee.explanation.quality.shelf import Shelf
from riskee.explanation.quality.ways import Way, ways_of
from riskee.explanation.retrieval import query
from riskee.settings.retrieval import RetrievalSettings

K = 5
JUDGED_K = 3
HALVES = ("held back", "chosen on")

Found = list[list[uuid.UUID]]


@dataclass(frozen=True)
class Ground:
    """What is measured on."""

    corpus: Corpus
    shelf: Shelf
    embedder: Embedder
    seed: int


@dataclass(frozen=True)
class Fresh:
    """How much that is fresh one way finds."""

    hit_rate: Mean
    ndcg: Mean


@dataclass(frozen=True)
class Telling:
    """What a reader said of what one way finds: telling or not, telling and fresh, and the share that was judged."""

    hit_rate: Mean
    ndcg: Mean
    fresh_ndcg: Mean
    judged: float


@dataclass(frozen=True)
class Half:
    """What the labels by hand say of all ways, on one half of the companies."""

    questions: int
    companies: int
    ways: dict[str, Telling]


@dataclass(frozen=True)
class Relevance:
    """Of one collection, all ways by name; of plain similarity without conditions, the share from the future and of
    other companies. `halves` of the companies: those that weights were chosen on, and the others."""

    collection: Collection
    questions: int
    companies: int
    documents: int
    fresh: dict[str, Fresh]
    halves: dict[str, Half]
    judged: int
    from_the_future: float
    of_others: float


def relevance_of(ground: Ground, settings: RetrievalSettings, collection: Collection) -> Relevance:
    """Ask every question in every way."""
    questions = questions_of(ground.corpus, collection, ground.seed)
    found = _found(ground, questions, ways_of(ground.shelf, settings, K, ground.seed))
    halves, judged = _by_hand(ground, settings, collection)
    future, others = _without_conditions(ground, questions)
    return Relevance(
        collection=collection,
        questions=len(questions),
        companies=len({one.prediction.ticker for one in questions}),
        documents=sum(document.collection == collection for document in ground.corpus.documents),
        fresh={name: _fresh(lists, questions, ground.seed) for name, lists in found.items()},
        halves=halves,
        judged=judged,
        from_the_future=future,
        of_others=others,
    )


def _found(ground: Ground, questions: Sequence[Question], ways: dict[str, Way]) -> dict[str, Found]:
    """What each way finds for each question."""
    if not questions:
        return {name: [] for name in ways}
    vectors = ground.embedder.encode([query(one.collection, one.prediction, one.drivers) for one in questions])
    pairs = list(zip(questions, vectors, strict=True))
    return {name: [[one.document_id for one in way(*pair)] for pair in pairs] for name, way in ways.items()}


def _means(measure: Callable[[int], float], questions: Sequence[Question], seed: int) -> Mean:
    """The mean over questions, resampled by company."""
    return mean([measure(at) for at in range(len(questions))], [one.prediction.ticker for one in questions], seed)


def _fresh(lists: Found, questions: Sequence[Question], seed: int) -> Fresh:
    return Fresh(
        _means(lambda at: hit(lists[at], questions[at].fresh, K), questions, seed),
        _means(lambda at: ndcg(lists[at], questions[at].fresh, K), questions, seed),
    )


def _by_hand(ground: Ground, settings: RetrievalSettings, collection: Collection) -> tuple[dict[str, Half], int]:
    """The measures on the labels by hand by half, and how many documents were judged; none where the judged documents
    are not here. What nobody judged counts as not telling."""
    here = {document.document_id for document in ground.shelf.documents}
    labels = [one for one in read_judgements() if one.collection == collection]
    if not all(one.documents <= here for one in labels):
        return {}, 0
    ways = ways_of(ground.shelf, settings, JUDGED_K, ground.seed)
    halves = {}
    for half in HALVES:
        own = [one for one in labels if is_held_back(one.ticker) == (half == HALVES[0])]
        if own:
            questions = [_judged_question(ground, one) for one in own]
            found = _found(ground, questions, ways)
            ways_told = {name: _telling(lists, questions, own, ground.seed) for name, lists in found.items()}
            halves[half] = Half(len(own), len({one.ticker for one in own}), ways_told)
    return halves, sum(len(one.documents) for one in labels)


def _judged_question(ground: Ground, judged: Judged) -> Question:
    draw = random.Random(f"{ground.seed}{judged.ticker}{judged.at}")  # noqa: S311 (a sample, no secret)
    return question(ground.corpus, judged.collection, judged.ticker, judged.at, draw)


def _telling(lists: Found, questions: Sequence[Question], labels: Sequence[Judged], seed: int) -> Telling:
    telling = [frozenset(one.telling) for one in labels]
    both = [one & asked.fresh for one, asked in zip(telling, questions, strict=True)]
    judged = [one in label.documents for ids, label in zip(lists, labels, strict=True) for one in ids]
    return Telling(
        _means(lambda at: hit(lists[at], telling[at], JUDGED_K), questions, seed),
        _means(lambda at: ndcg(lists[at], telling[at], JUDGED_K), questions, seed),
        _means(lambda at: ndcg(lists[at], both[at], JUDGED_K), questions, seed),
        float(np.mean(judged)),
    )


def _without_conditions(ground: Ground, questions: Sequence[Question]) -> tuple[float, float]:
    """Of what plain similarity finds: the share that was not known yet, and that is of other companies."""
    if not questions:
        return 0.0, 0.0
    vectors = ground.embedder.encode([query(one.collection, one.prediction, one.drivers) for one in questions])
    nearest = [
        (one.prediction, document)
        for one, vector in zip(questions, vectors, strict=True)
        for document in ground.shelf.nearest(vector, K, one.collection)
    ]
    future = np.mean([document.known_at > asked.data_time for asked, document in nearest])
    others = np.mean([document.ticker != asked.ticker for asked, document in nearest])
    return float(future), float(others)
