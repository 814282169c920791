"""The choice of an embedder. The models themselves are tested in `tests/contract` and `tests/integration`."""

import sys
import zipfile
from pathlib import Path

import pytest

from riskee.embedding import SentenceTransformerEmbedder, make_embedder
from riskee.embedding.reference import _unpacked
from riskee.errors import FatalError
from riskee.settings import EmbeddingSettings


def test_a_model_without_an_onnx_file_names_the_other_backend(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="sentence-transformers"):
        make_embedder(EmbeddingSettings(backend="onnx", model="all-mpnet-base-v2"), tmp_path)


def test_the_reference_without_its_extra_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(FatalError, match=r"lacks sentence_transformers.*riskee\[reference\]"):
        SentenceTransformerEmbedder(tmp_path, "all-MiniLM-L6-v2")


def test_an_archive_is_unpacked_once_and_its_model_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("all-mpnet-base-v2/modules.json", "[]")
    folder = _unpacked(tmp_path / "model.zip")
    assert folder == tmp_path / "model" / "all-mpnet-base-v2"
    (folder / "mark").touch()
    assert (_unpacked(tmp_path / "model.zip") / "mark").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.zip"]
