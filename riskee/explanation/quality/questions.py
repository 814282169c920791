"""What is asked: made-up predictions at moments after real texts, and which texts are fresh then."""

import hashlib
import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from riskee.documents.document import Collection, Document
from riskee.explanation.quality.corpus import Corpus
from riskee.explanation.quality.made_facts import made_facts
from riskee.messaging.explanations import Driver
from riskee.messaging.messages import Prediction

# The texts that are measured on, by the collection that they are in.
TEXTS: dict[Collection, str] = {"earnings_calls": "transcripts of calls", "market_news": "posts"}
# Posts are fresh for so long; of a call the newest one is.
FRESH = timedelta(days=30)
_DAYS_AFTER = (1, 30)
_HOURS_AFTER = (1, 24)
# Moments of each company with posts, and the share of its posts that come before the first.
_MOMENTS, _BEFORE = 4, 0.25


@dataclass(frozen=True)
class Question:
    """A made-up prediction at a moment, and the documents of one collection that are fresh then."""

    collection: Collection
    prediction: Prediction
    drivers: tuple[Driver, ...]
    fresh: frozenset[uuid.UUID]


def questions_of(corpus: Corpus, collection: Collection, seed: int) -> list[Question]:
    """A question after each call of a company but its first, or some after its posts."""
    draw = random.Random(seed)  # noqa: S311 (a sample, no secret)
    moments = _after_calls(corpus, draw) if collection == "earnings_calls" else _after_posts(corpus, draw)
    found = [question(corpus, collection, ticker, at, draw) for ticker, at in moments]
    return [one for one in found if one.fresh]


def question(corpus: Corpus, collection: Collection, ticker: str, at: datetime, draw: random.Random) -> Question:
    """The question of a company at a moment."""
    return Question(collection, *made_facts(ticker, at, draw), _fresh(corpus, collection, ticker, at))


def is_held_back(ticker: str) -> bool:
    """Whether a company is of the half that no weight was chosen on."""
    return hashlib.sha256(ticker.encode()).digest()[0] % 2 == 0


def _after_calls(corpus: Corpus, draw: random.Random) -> list[tuple[str, datetime]]:
    """Up to 30 days after a call, and before the next."""
    found = []
    for ticker, moments in corpus.calls.items():
        for place, moment in enumerate(moments[1:], start=2):
            at = moment + timedelta(days=draw.uniform(*_DAYS_AFTER))
            found.append((ticker, min([at, *(after - timedelta(seconds=1) for after in moments[place:])])))
    return found


def _after_posts(corpus: Corpus, draw: random.Random) -> list[tuple[str, datetime]]:
    """Within a day after a post."""
    found: list[tuple[str, datetime]] = []
    for ticker in corpus.calls:
        known = sorted(document.known_at for document in _documents(corpus, "market_news", ticker))
        later = known[int(_BEFORE * len(known)) :]
        chosen = sorted(draw.sample(later, min(_MOMENTS, len(later))))
        found += [(ticker, moment + timedelta(hours=draw.uniform(*_HOURS_AFTER))) for moment in chosen]
    return found


def _documents(corpus: Corpus, collection: Collection, ticker: str) -> list[Document]:
    return [one for one in corpus.documents if (one.collection, one.ticker) == (collection, ticker)]


def _fresh(corpus: Corpus, collection: Collection, ticker: str, at: datetime) -> frozenset[uuid.UUID]:
    known = [one for one in _documents(corpus, collection, ticker) if one.known_at <= at]
    if not known:
        return frozenset()
    since = max(one.known_at for one in known) if collection == "earnings_calls" else at - FRESH
    return frozenset(one.document_id for one in known if one.known_at >= since)
