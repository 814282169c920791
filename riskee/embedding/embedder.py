"""What the rest of the product knows of an embedding model."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """An embedding model in memory. `encode` is thread-safe; a text has the same vector in any company, to rounding."""

    @property
    def name(self) -> str:
        """The model and how it runs, such as `all-MiniLM-L6-v2/onnx-int8`: stored beside the vectors it made."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    def encode(self, texts: list[str]) -> Vectors:
        """Vectors of length 1, shape (texts, dimensions). A text longer than the model reads is cut at its end."""
