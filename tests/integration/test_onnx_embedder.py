"""The embedder that ships, with its real model. It is fetched once into the checkout's `.riskee/blobs`."""

from pathlib import Path

import numpy as np
import pytest

from riskee.embedding import Embedder, make_embedder
from riskee.settings import EmbeddingSettings

pytestmark = pytest.mark.integration

HOME = Path(__file__).parents[2] / ".riskee"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return make_embedder(EmbeddingSettings(), HOME)


def test_vectors_have_length_one_and_their_own_row(embedder: Embedder) -> None:
    texts = ["Apple beats earnings estimates.", "", "x " * 2000, "Unemployment rises."]
    vectors = embedder.encode(texts)
    assert vectors.shape == (4, embedder.dimensions) == (4, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(embedder.encode([text])[0], vectors[row], atol=1e-6)


def test_a_text_has_its_vector_in_any_company_and_order(embedder: Embedder) -> None:
    texts = [f"{'Shares of the company rose. ' * (number % 7 + 1)}{number}" for number in range(60)]
    vectors = embedder.encode(texts)
    np.testing.assert_allclose(embedder.encode(texts[::-1])[::-1], vectors, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([embedder.encode([text]) for text in texts]), vectors, atol=1e-6)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, 384)


def test_meaning_beats_wording(embedder: Embedder) -> None:
    query, right, wrong = embedder.encode(
        [
            "The company earned more than analysts expected.",
            "Quarterly profit topped Wall Street forecasts.",
            "The company painted its delivery lorries green.",
        ]
    )
    assert query @ right > query @ wrong
