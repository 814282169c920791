"""The data, the embedding model and the language model's weights, fetched side by side while other work goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from riskee.blobs import Progress
    from riskee.cli.board import Board, Task
    from riskee.settings import Settings

DATA = ("daily-stocks", "sp500-index", "macrodata", "earnings-dates")
EMBEDDING = ("minilm-onnx", "minilm-tokenizer")
_MIB = 2**20


class Downloads:
    """Begins at once. Two run at a time: the data first, which the pipeline needs soonest."""

    def __init__(self, settings: Settings, board: Board) -> None:
        from riskee.blobs import Blobs

        self._board = board
        self._blobs = Blobs(settings.home)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="download")
        names = DATA + (EMBEDDING if settings.embedding.backend == "onnx" else ())
        self._data = self._pool.submit(self._fetch_data, [name for name in names if not self._blobs.present(name)])
        self._weights = self._pool.submit(self._fetch_weights, settings)

    def wait_for_data(self) -> None:
        """Return when data and embedding model are there. Raises what the fetching raised."""
        self._data.result()

    def wait_for_weights(self) -> None:
        """Return when the language model is there. Raises what the fetching raised."""
        self._weights.result()

    def close(self) -> None:
        """Begin no more; what is under way ends first."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fetch_data(self, missing: Sequence[str]) -> None:
        if not missing:
            return
        with self._board.task("Fetching history and embedding model") as task:
            for number, name in enumerate(missing):
                self._blobs.ensure(name, _shown(task, number, len(missing)))

    def _fetch_weights(self, settings: Settings) -> None:
        import os

        from riskee.blobs.weights import DOWNLOADS, install_weights

        if "RISKEE_LLM__URL" in os.environ:
            return  # an Ollama of the user's own has its own models
        model, local, models = settings.llm.model, settings.llm.weights, settings.home / "blobs"
        blob = DOWNLOADS.get(model)
        if local is not None or blob is None or self._blobs.present(blob):
            install_weights(self._blobs, models, model, local)
            return
        with self._board.task(f"Fetching language model {model}") as task:
            install_weights(self._blobs, models, model, local, _shown(task, 0, 1))


def _shown(task: Task, number: int, count: int) -> Progress:
    """Progress of blob `number` of `count`, each counted alike."""

    def show(_name: str, done: int, total: int) -> None:
        task.advance(number + done / total, count)
        if count == 1:
            task.tell(f"{done // _MIB} of {total // _MIB} MiB")

    return show
