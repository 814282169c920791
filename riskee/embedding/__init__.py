"""Text to vectors: one protocol, an implementation without torch for every day and the reference it is held to."""

from pathlib import Path

from riskee.blobs import Blobs, Progress
from riskee.embedding.embedder import Embedder, Vectors
from riskee.embedding.onnx import OnnxEmbedder
from riskee.embedding.reference import SentenceTransformerEmbedder
from riskee.settings import EmbeddingSettings

__all__ = ["Embedder", "OnnxEmbedder", "SentenceTransformerEmbedder", "Vectors", "make_embedder"]


def make_embedder(settings: EmbeddingSettings, home: Path, progress: Progress | None = None) -> Embedder:
    """The embedder that the settings ask for, its model fetched into the `home` first when it is missing.

    Raises FatalError when the backend cannot serve the model or its packages are missing, and whatever
    `Blobs.ensure` raises. Takes about half a second for `onnx`, 5 to 10 s for `sentence-transformers`.
    """
    blobs = Blobs(home)
    if settings.backend == "onnx":
        return OnnxEmbedder.fetched(settings.model, blobs, progress)
    return SentenceTransformerEmbedder.fetched(settings.model, blobs, progress)
