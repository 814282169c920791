"""The measurement of documents: that it measures, and leaves nothing behind."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from riskee.clock import FixedClock
from riskee.documents.bench import SEARCHES, DocumentsBench
from riskee.embedding.word_pieces import WordPieces
from riskee.settings import VectorSettings
from riskee.storage.vectors import Vectors
from tests.integration.made_texts import HashEmbedder
from tests.integration.stored_documents import NOW, in_step

pytestmark = pytest.mark.integration


def test_the_measurement_measures_all_of_it(
    engine: Engine, vectors: Vectors, pieces: WordPieces, tmp_path: Path
) -> None:
    told: list[str] = []
    measured = DocumentsBench(
        engine, VectorSettings(url=vectors._url), HashEmbedder(), pieces, tmp_path, FixedClock(NOW), told.append
    ).run(650, {})
    assert sum(measured.documents.values()) == 650
    assert {phase.name for phase in measured.phases if phase.documents == 650} >= {"index", "index again"}
    assert {len(found) for found in measured.milliseconds.values()} == {SEARCHES}
    assert in_step(engine, vectors)
