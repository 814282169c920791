"""Embeddings on onnxruntime: no torch, 235 MB installed."""

import os
from pathlib import Path

import numpy as np

from riskee.blobs import Blobs, Progress
from riskee.embedding.embedder import Vectors
from riskee.errors import FatalError

_MAX_TOKENS = 256
_MAX_THREADS = 2
_MODEL = "all-MiniLM-L6-v2"


class OnnxEmbedder:
    """all-MiniLM-L6-v2 with int8 weights."""

    name = f"{_MODEL}/onnx-int8"
    dimensions = 384

    def __init__(self, model: Path, tokenizer: Path) -> None:
        # Imported here: half a second that only processes that embed should pay.
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(_MAX_THREADS, len(os.sched_getaffinity(0)))
        # Spinning threads cost four fifths of the throughput as soon as another process wants the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)

    @classmethod
    def fetched(cls, model: str, blobs: Blobs, progress: Progress | None = None) -> "OnnxEmbedder":
        """The embedder with its files from `blobs`. Raises FatalError for a model that has no ONNX file here."""
        if model != _MODEL:
            raise FatalError(f"the onnx backend has no {model}", "set RISKEE_EMBEDDING__BACKEND=sentence-transformers")
        return cls(blobs.ensure("minilm-onnx", progress), blobs.ensure("minilm-tokenizer", progress))

    def encode(self, texts: list[str]) -> Vectors:
        """See Embedder. One text at a time: as fast as padded batches on a CPU, and simpler."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._encode_one(text)
        return vectors

    def _encode_one(self, text: str) -> Vectors:
        tokens = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        inputs = {
            "input_ids": tokens,
            "attention_mask": np.ones_like(tokens),
            "token_type_ids": np.zeros_like(tokens),
        }
        (hidden,) = self._session.run(None, inputs)
        mean: Vectors = np.asarray(hidden, dtype=np.float32)[0].mean(axis=0)
        return mean / np.linalg.norm(mean)
