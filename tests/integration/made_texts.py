"""Texts and vectors made for the tests of imported documents."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 8


@dataclass
class HashEmbedder:
    """Vectors that depend on the text alone, and a note of the texts."""

    name: str = "hash"
    dimensions: int = DIMENSIONS
    texts: list[str] = field(default_factory=list)

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        self.texts += texts
        rows = [np.frombuffer(hashlib.sha256(text.encode()).digest()[:DIMENSIONS], np.uint8) for text in texts]
        return (np.array(rows).reshape(-1, DIMENSIONS) / 255 - 0.5).astype(np.float32)


def call(ticker: str, day: str, sentences: int, word: str = "grew") -> dict[str, Any]:
    """A transcript of so many sentences."""
    text = " ".join(f"In region {number} our revenue {word} by some percent." for number in range(sentences))
    return {"symbol": ticker, "date": day, "text": text}


def news(number: int) -> dict[str, Any]:
    """A piece of news unlike all others."""
    return {"ticker": "IBM", "created_at": "2014-03-03T15:00:00Z", "text": f"Item {number}: the company said so."}


def write(path: Path, rows: Iterable[Any]) -> Path:
    """A file of JSON Lines; a string is written as it is."""
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path
