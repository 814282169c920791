"""The reference: sentence-transformers on torch. Needs the `reference` extra; nothing else imports it."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np

from riskee.blobs import Blobs, Progress
from riskee.embedding.embedder import Vectors
from riskee.errors import FatalError

_ARCHIVES = {"all-MiniLM-L6-v2": "minilm-reference", "all-mpnet-base-v2": "mpnet-reference"}


class SentenceTransformerEmbedder:
    """A sentence-transformers model from a folder; nothing is fetched from a hub."""

    def __init__(self, folder: Path, model: str) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        try:
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as error:
            raise FatalError(
                f"the sentence-transformers backend lacks {error.name}",
                "install `riskee[reference]`, or set RISKEE_EMBEDDING__BACKEND=onnx",
            ) from error
        self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        self.name = f"{model}/sentence-transformers"
        dimensions = self._model.get_embedding_dimension()
        if dimensions is None:
            raise FatalError(f"{folder} does not say how long its vectors are", "delete the folder; it is made again")
        self.dimensions = dimensions

    @classmethod
    def fetched(cls, model: str, blobs: Blobs, progress: Progress | None = None) -> "SentenceTransformerEmbedder":
        """The embedder with its model from `blobs`."""
        return cls(_unpacked(blobs.ensure(_ARCHIVES[model], progress)), model)

    def encode(self, texts: list[str]) -> Vectors:
        """See Embedder. One text per batch, so that no text's padding touches another's vector."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        vectors = self._model.encode(
            texts, batch_size=1, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


def _unpacked(archive: Path) -> Path:
    """The model's folder from an archive, unpacked beside it once; a killed try leaves no half of it."""
    folder = archive.with_suffix("")
    if not folder.exists():
        fresh = archive.with_suffix(f".{os.getpid()}")
        with zipfile.ZipFile(archive) as content:
            content.extractall(fresh)
        try:
            fresh.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(fresh)
    return next(folder.rglob("modules.json")).parent
