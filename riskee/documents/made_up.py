"""Texts and vectors without meaning in the form of real ones, for measurements."""

import hashlib
import json
import random
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

_TEXT = """
revenue margin guidance demand quarter growth orders cash debt dividend shares buyback analysts estimates target upgrade
downgrade cloud devices oil gas retail bank credit rates inflation supply inventory pricing customers product launch
regulator merger acquisition spin-off cost savings restructuring currency exports earnings loss profit forecast outlook
volume momentum support resistance breakout rally selloff volatility options calls puts
"""
_WORDS = tuple(_TEXT.split())
_LINKS = ("of", "the", "in", "and", "for", "on", "with", "after", "before", "as", "from", "by", "to", "over", "while")
_FIRST_DAY = date(2014, 1, 2)
_DAYS = 730
TICKERS = tuple(f"{first}{second}X" for first in "ABCDEFGHIJ" for second in "KLMNPQRSTU")
"""A hundred of them."""


def news(count: int, seed: int) -> Iterator[str]:
    """Lines of dated news of about 20 words each."""
    rng = random.Random(seed)  # noqa: S311 (a measurement, no secret)
    for _ in range(count):
        second = rng.randrange(86_400)
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        text = _sentence(rng, rng.randint(12, 30))
        yield json.dumps({"ticker": rng.choice(TICKERS), "created_at": f"{_day(rng)}T{clock}Z", "text": text})


def calls(count: int, seed: int) -> Iterator[str]:
    """Lines of transcripts of about 2,000 words each, one a ticker and day."""
    rng = random.Random(seed)  # noqa: S311 (a measurement, no secret)
    for number in range(count):
        day = _FIRST_DAY + timedelta(days=number // len(TICKERS))
        text = " ".join(_sentence(rng, rng.randint(5, 40)) for _ in range(90))
        yield json.dumps({"ticker": TICKERS[number % len(TICKERS)], "date": day.isoformat(), "text": text})


class MadeUpEmbedder:
    """Vectors that depend on the text alone and say nothing of it: all that comes after the model, without it."""

    name = "made-up"
    dimensions = 384

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """See Embedder."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
            vectors[row] = np.random.default_rng(seed).standard_normal(self.dimensions)
        lengths: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= lengths
        return vectors


def _day(rng: random.Random) -> date:
    return _FIRST_DAY + timedelta(days=rng.randrange(_DAYS))


def _sentence(rng: random.Random, words: int) -> str:
    chosen = [rng.choice(_WORDS if rng.random() < 0.6 else _LINKS) for _ in range(words)]
    return f"{' '.join(chosen).capitalize()} {rng.randint(1, 999)}."
