"""The texts that are measured on: transcripts and posts of a user's files, cut into passages as an import does."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from riskee.documents.document import Document
from riskee.documents.importing import documents_of
from riskee.documents.lines import numbered_lines
from riskee.documents.texts import ImportedText, Kind, parse
from riskee.embedding.word_pieces import WordPieces
from riskee.errors import NotFoundError, PoisonError

FILES: dict[Kind, str] = {"calls": "maec_calls*.jsonl.gz", "news": "stocknet_tweets*.jsonl.gz"}
# Fewer calls of a ticker leave nothing to choose from.
LEAST_CALLS = 3
MOST_POSTS = 150


@dataclass(frozen=True)
class Corpus:
    """Documents, and of each ticker when its calls became known, in order."""

    documents: tuple[Document, ...]
    calls: dict[str, tuple[datetime, ...]]


def read_corpus(data: Path, tickers: int, pieces: WordPieces, now: datetime, seed: int) -> Corpus:
    """The calls and some posts of `tickers` companies with at least `LEAST_CALLS` calls each, drawn by `seed`; half of
    them, as far as there are any, companies with posts.

    Raises NotFoundError where the folder lacks the files.
    """
    draw = random.Random(seed)  # noqa: S311 (a sample, no secret)
    calls = _texts(data, "calls", now)
    posts = _texts(data, "news", now)
    count = Counter(text.ticker for text in calls)
    enough = sorted(ticker for ticker, found in count.items() if found >= LEAST_CALLS)
    both = sorted({text.ticker for text in posts} & set(enough))
    chosen = set(draw.sample(both, min(tickers // 2, len(both))))
    others = [ticker for ticker in enough if ticker not in chosen]
    chosen |= set(draw.sample(others, min(tickers - len(chosen), len(others))))
    kept = [text for text in calls if text.ticker in chosen]
    for ticker in sorted(chosen):
        own = [text for text in posts if text.ticker == ticker]
        kept += draw.sample(own, min(MOST_POSTS, len(own)))
    documents = tuple(document for text in kept for document in documents_of(text, pieces))
    moments = {
        ticker: tuple(sorted(text.known_at for text in calls if text.ticker == ticker)) for ticker in sorted(chosen)
    }
    return Corpus(documents, moments)


def _texts(data: Path, kind: Kind, now: datetime) -> list[ImportedText]:
    path = next(iter(sorted(data.rglob(FILES[kind]))), None)
    if path is None:
        raise NotFoundError(f"{data} has no file {FILES[kind]}", "give the folder of the StockNet and MAEC files")
    found: dict[str, ImportedText] = {}
    for _, line, _ in numbered_lines(path):
        try:
            text = parse(line, kind, path.name.split(".")[0], now)
        except PoisonError:
            continue  # `riskee documents import` counts them and says why
        found.setdefault(text.twin, text)
    return list(found.values())
