"""Holds the embedder that ships to the reference: the same text must point the same way in both."""

from pathlib import Path

import numpy as np
import pytest

from riskee.embedding import Embedder, make_embedder
from riskee.settings import EmbeddingSettings

pytestmark = [pytest.mark.reference, pytest.mark.slow]
pytest.importorskip("sentence_transformers", reason="needs the `reference` extra: sentence-transformers and torch")

HOME = Path(__file__).parents[2] / ".riskee"
# Measured over 400 tweets and pieces of earnings calls: mean 0.99953, lowest 0.99893. The weights have eight bits.
MEAN_COSINE = 0.9993
LOWEST_COSINE = 0.9985
TEXTS = [
    "Apple beats earnings estimates; shares jump 5% after hours.",
    "AAPL reports results for the quarter within three sessions.",
    "IBM",
    "The S&P 500 fell 2.1 percent over the last twenty sessions, its worst month since March.",
    "Real GDP grew at an annual rate of 1.2 percent; unemployment stands at 7.8 percent.",
    "Volume was 2.3 times its twenty-day average while the price closed below its 200-day moving average.",
    "What drove the price down today?",
    "Consumer prices rose; the Treasury bill rate is close to zero.",
    "$MSFT breaking out, RSI 71, MACD cross. Looks overbought to me @trader #stocks",
    "We continue to see strong demand across all regions and expect gross margin to expand in the second half. "
    "Operating expenses were in line with our guidance, and we repurchased shares during the quarter. " * 6,
]


@pytest.fixture(scope="module")
def shipped() -> Embedder:
    return make_embedder(EmbeddingSettings(backend="onnx"), HOME)


@pytest.fixture(scope="module")
def reference() -> Embedder:
    return make_embedder(EmbeddingSettings(backend="sentence-transformers"), HOME)


def test_both_point_the_same_way(shipped: Embedder, reference: Embedder) -> None:
    assert shipped.dimensions == reference.dimensions == 384
    cosines = np.sum(shipped.encode(TEXTS) * reference.encode(TEXTS), axis=1)
    assert cosines.mean() >= MEAN_COSINE
    assert cosines.min() >= LOWEST_COSINE


def test_both_keep_the_contract(shipped: Embedder, reference: Embedder) -> None:
    for embedder in (shipped, reference):
        vectors = embedder.encode(TEXTS)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
        assert embedder.encode([]).shape == (0, embedder.dimensions)
        np.testing.assert_allclose(embedder.encode(TEXTS[:1])[0], vectors[0], atol=1e-6)
    assert shipped.name != reference.name


def test_both_rank_neighbours_alike(shipped: Embedder, reference: Embedder) -> None:
    """What retrieval needs: the similarities between texts agree."""
    ours, theirs = shipped.encode(TEXTS), reference.encode(TEXTS)
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=0.03)
