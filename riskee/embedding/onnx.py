"""Embeddings on onnxruntime: no torch, 235 MB installed."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from riskee.blobs import Blobs, Progress
from riskee.embedding.embedder import Vectors
from riskee.embedding.word_pieces import WINDOW
from riskee.errors import FatalError

_MAX_WORKERS = 2
# Short texts go together up to so many word pieces: more together are no faster and take more memory.
_BATCH_PIECES = 256
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
        # A worker for each core beats a text spread over the cores by a third: nobody waits for anybody.
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._workers = min(_MAX_WORKERS, len(os.sched_getaffinity(0)))
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(WINDOW)

    @classmethod
    def fetched(cls, model: str, blobs: Blobs, progress: Progress | None = None) -> "OnnxEmbedder":
        """The embedder with its files from `blobs`. Raises FatalError for a model that has no ONNX file here."""
        if model != _MODEL:
            raise FatalError(f"the onnx backend has no {model}", "set RISKEE_EMBEDDING__BACKEND=sentence-transformers")
        return cls(blobs.ensure("minilm-onnx", progress), blobs.ensure("minilm-tokenizer", progress))

    def encode(self, texts: list[str]) -> Vectors:
        """See Embedder. Texts of like length go through the model together."""
        pieces = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)

        def fill(rows: list[int]) -> None:
            vectors[rows] = self._encode([pieces[row] for row in rows])

        batches = _batches([len(one) for one in pieces])
        if len(batches) <= 1:
            for rows in batches:
                fill(rows)
            return vectors
        with ThreadPoolExecutor(self._workers, thread_name_prefix="embed") as pool:
            list(pool.map(fill, batches))
        return vectors

    def _encode(self, pieces: Sequence[Sequence[int]]) -> Vectors:
        """Mean of the model's last layer over each text's own word pieces."""
        tokens = np.zeros((len(pieces), max(map(len, pieces))), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, ids in enumerate(pieces):
            tokens[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        inputs = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        (hidden,) = self._session.run(None, inputs)
        weights = mask[:, :, None].astype(np.float32)
        mean: Vectors = (np.asarray(hidden, dtype=np.float32) * weights).sum(axis=1) / weights.sum(axis=1)
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
        return mean


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Rows of like length together, at most `_BATCH_PIECES` with their padding, the longest first."""
    batches: list[list[int]] = []
    room = 0
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if room <= 0:
            batches.append([])
            room = max(1, _BATCH_PIECES // lengths[row])
        batches[-1].append(row)
        room -= 1
    return batches
