"""Ways of finding documents: the product's, and plainer ones under the same conditions."""

import random
from collections.abc import Callable

from riskee.documents.document import Document
from riskee.embedding.embedder import Vectors
from riskee.explanation import ranking
from riskee.explanation.quality.questions import Question
from riskee.explanation.quality.shelf import Shelf
from riskee.explanation.retrieval import query
from riskee.settings.retrieval import RetrievalSettings

Way = Callable[[Question, Vectors], list[Document]]


def ways_of(shelf: Shelf, settings: RetrievalSettings, limit: int, seed: int) -> dict[str, Way]:
    """By name; each finds at most `limit` documents of the question's collection, best first."""

    def hybrid(**changes: float) -> Way:
        weights = settings.model_copy(update=changes)

        def find(question: Question, vector: Vectors) -> list[Document]:
            ticker, at = question.prediction.ticker, question.prediction.data_time
            hits = shelf.search(vector, ticker, at, weights.candidates, [question.collection])
            return [one.document for one in ranking.ranked(ranking.known(hits, ticker, at), at, weights, limit)]

        return find

    def similar(question: Question, vector: Vectors) -> list[Document]:
        prediction = question.prediction
        hits = shelf.search(vector, prediction.ticker, prediction.data_time, limit, [question.collection])
        return [hit.document for hit in hits]

    def by_words(question: Question, _: Vectors) -> list[Document]:
        text = query(question.collection, question.prediction, question.drivers)
        return shelf.by_words(text, _eligible(shelf, question))[:limit]

    def at_random(question: Question, _: Vectors) -> list[Document]:
        draw = random.Random(f"{seed}{question.prediction.prediction_id}")  # noqa: S311 (a sample, no secret)
        places = _eligible(shelf, question)
        return [shelf.documents[at] for at in draw.sample(places, min(limit, len(places)))]

    return {
        "hybrid": hybrid(),
        "hybrid without variety": hybrid(diversity=0.0),
        "hybrid without recency": hybrid(recency=0.0),
        "hybrid without substance": hybrid(substance=0.0),
        "similarity": similar,
        "words (BM25)": by_words,
        "random": at_random,
    }


def _eligible(shelf: Shelf, question: Question) -> list[int]:
    return shelf.eligible(question.prediction.ticker, question.prediction.data_time, [question.collection])
