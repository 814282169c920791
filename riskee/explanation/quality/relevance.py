"""How well documents are found: labels from metadata and by hand, against plainer ways of finding.

A label from metadata: at a moment after a company's call, the passages of its newest call known by then are relevant,
those of its earlier calls are not. It measures whether the newest is found, not whether a passage is worth quoting;
that is what the labels by hand say (`judgements.json`).
"""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.resources import files

import msgspec
import numpy as np

from riskee.documents.document import Collection, Document
from riskee.embedding.embedder import Embedder, Vectors
from riskee.explanation import ranking
from riskee.explanation.quality.corpus import Corpus
from riskee.explanation.quality.made_facts import made_facts
from riskee.explanation.quality.measures import Mean, hit, mean, ndcg
from riskee.explanation.quality.shelf import Shelf
from riskee.explanation.retrieval import query
from riskee.messaging.explanations import Driver
from riskee.messaging.messages import Prediction
from riskee.settings.retrieval import RetrievalSettings

K = 5
JUDGED_K = 3
_CALLS: Collection = "earnings_calls"
_DAYS_AFTER = (1, 30)


@dataclass(frozen=True)
class Ground:
    """What is measured on."""

    corpus: Corpus
    shelf: Shelf
    embedder: Embedder
    seed: int


@dataclass(frozen=True)
class Question:
    """A made-up prediction at a moment after a real call, and what is relevant to it."""

    prediction: Prediction
    drivers: tuple[Driver, ...]
    relevant: frozenset[uuid.UUID]


class Judgement(msgspec.Struct, frozen=True):
    """What a reader said of a passage found for a ticker at a moment: whether it tells of results."""

    ticker: str
    at: datetime
    document_id: uuid.UUID
    relevant: bool


@dataclass(frozen=True)
class Finding:
    """The measures of one way of finding."""

    hit_rate: Mean
    ndcg: Mean


@dataclass(frozen=True)
class Relevance:
    """All ways by name; of plain similarity without conditions, the share from the future and of other companies."""

    questions: int
    passages: int
    ways: dict[str, Finding]
    judged: dict[str, Finding] = field(default_factory=dict)
    judgements: int = 0
    from_the_future: float = 0.0
    of_others: float = 0.0


Way = Callable[[Question, Vectors], list[Document]]


def questions_of(corpus: Corpus, seed: int) -> list[Question]:
    """A question after each call of a ticker but its first."""
    draw = random.Random(seed)  # noqa: S311 (a sample, no secret)
    found = []
    for ticker, moments in corpus.calls.items():
        for moment, following in zip(
            moments[1:], [*moments[2:], datetime.max.replace(tzinfo=moments[0].tzinfo)], strict=True
        ):
            at = min(moment + timedelta(days=draw.uniform(*_DAYS_AFTER)), following - timedelta(seconds=1))
            newest = frozenset(
                document.document_id
                for document in corpus.documents
                if (document.ticker, document.collection, document.known_at) == (ticker, _CALLS, moment)
            )
            if newest:
                found.append(Question(*made_facts(ticker, at, draw), newest))
    return found


def ways_of(shelf: Shelf, settings: RetrievalSettings, seed: int) -> dict[str, Way]:
    """The product's way of finding passages of calls, and plainer ones under the same conditions."""

    def hybrid(weights: RetrievalSettings) -> Way:
        def find(question: Question, vector: Vectors) -> list[Document]:
            ticker, at = question.prediction.ticker, question.prediction.data_time
            hits = ranking.known(shelf.search(vector, ticker, at, weights.candidates, [_CALLS]), ticker, at)
            return [one.document for one in ranking.ranked(hits, at, weights, K)]

        return find

    def similar(question: Question, vector: Vectors) -> list[Document]:
        prediction = question.prediction
        return [hit.document for hit in shelf.search(vector, prediction.ticker, prediction.data_time, K, [_CALLS])]

    def by_words(question: Question, _: Vectors) -> list[Document]:
        return shelf.by_words(query(_CALLS, question.prediction, question.drivers), _eligible(shelf, question))[:K]

    def at_random(question: Question, _: Vectors) -> list[Document]:
        draw = random.Random(f"{seed}{question.prediction.prediction_id}")  # noqa: S311 (a sample, no secret)
        places = _eligible(shelf, question)
        return [shelf.documents[at] for at in draw.sample(places, min(K, len(places)))]

    return {
        "hybrid": hybrid(settings),
        "hybrid without variety": hybrid(settings.model_copy(update={"diversity": 0.0})),
        "hybrid without recency": hybrid(settings.model_copy(update={"recency": 0.0})),
        "similarity": similar,
        "words (BM25)": by_words,
        "random": at_random,
    }


def relevance_of(ground: Ground, settings: RetrievalSettings) -> Relevance:
    """Ask every question in every way."""
    corpus, shelf, embedder, seed = ground.corpus, ground.shelf, ground.embedder, ground.seed
    questions = questions_of(corpus, seed)
    texts = [query(_CALLS, question.prediction, question.drivers) for question in questions]
    vectors = embedder.encode(texts)
    ways = ways_of(shelf, settings, seed)
    found = {
        name: [
            [document.document_id for document in way(question, vector)]
            for question, vector in zip(questions, vectors, strict=True)
        ]
        for name, way in ways.items()
    }
    labels = [(question.prediction.ticker, question.relevant) for question in questions]
    nearest = [
        (question.prediction, document)
        for question, vector in zip(questions, vectors, strict=True)
        for document in shelf.nearest(vector, K, _CALLS)
    ]
    judgements = read_judgements()
    return Relevance(
        questions=len(questions),
        passages=sum(document.collection == _CALLS for document in corpus.documents),
        ways={name: _finding(lists, labels, K, seed) for name, lists in found.items()},
        judged=_judged(judgements, shelf, embedder, ways, seed),
        judgements=len(judgements),
        from_the_future=float(np.mean([document.known_at > asked.data_time for asked, document in nearest])),
        of_others=float(np.mean([document.ticker != asked.ticker for asked, document in nearest])),
    )


def read_judgements() -> list[Judgement]:
    """The labels by hand."""
    labels = files("riskee.explanation.quality").joinpath("judgements.json").read_bytes()
    return msgspec.json.decode(labels, type=list[Judgement])


def _eligible(shelf: Shelf, question: Question) -> list[int]:
    return shelf.eligible(question.prediction.ticker, question.prediction.data_time, [_CALLS])


def _finding(
    lists: Sequence[Sequence[uuid.UUID]], labels: Sequence[tuple[str, frozenset[uuid.UUID]]], k: int, seed: int
) -> Finding:
    groups = [ticker for ticker, _ in labels]
    pairs = list(zip(lists, labels, strict=True))
    return Finding(
        mean([hit(ids, relevant, k) for ids, (_, relevant) in pairs], groups, seed),
        mean([ndcg(ids, relevant, k) for ids, (_, relevant) in pairs], groups, seed),
    )


def _judged(
    judgements: Sequence[Judgement], shelf: Shelf, embedder: Embedder, ways: dict[str, Way], seed: int
) -> dict[str, Finding]:
    """The measures on the labels by hand. What nobody judged counts as irrelevant."""
    asked = sorted({(one.ticker, one.at) for one in judgements})
    here = {document.document_id for document in shelf.documents}
    if not asked or not all(one.document_id in here for one in judgements):
        return {}
    questions = [
        Question(
            *made_facts(ticker, at, random.Random(seed)),  # noqa: S311 (a sample, no secret)
            frozenset(one.document_id for one in judgements if (one.ticker, one.at) == (ticker, at) and one.relevant),
        )
        for ticker, at in asked
    ]
    vectors = embedder.encode([query(_CALLS, question.prediction, question.drivers) for question in questions])
    labels = [(question.prediction.ticker, question.relevant) for question in questions]
    return {
        name: _finding(
            [[one.document_id for one in way(q, v)] for q, v in zip(questions, vectors, strict=True)],
            labels,
            JUDGED_K,
            seed,
        )
        for name, way in ways.items()
    }
