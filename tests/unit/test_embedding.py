"""The choice of an embedder. The models themselves are tested in `tests/contract` and `tests/integration`."""

from pathlib import Path

import pytest

from riskee.embedding import make_embedder
from riskee.errors import FatalError
from riskee.settings import EmbeddingSettings


def test_a_model_without_an_onnx_file_names_the_other_backend(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="sentence-transformers"):
        make_embedder(EmbeddingSettings(backend="onnx", model="all-mpnet-base-v2"), tmp_path)
