"""llama.cpp behind a queue: one thread owns the model, runs one generation at a time and unloads it when idle."""

import asyncio
import os
import queue
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from infra.embedded.ollama_front.refusal import ApiError

MAX_WAITING = 8
_CLOSE_SECONDS = 5.0
# A small model is bound by memory, not by cores.
_MAX_THREADS = 4

log = structlog.get_logger("ollama_front")


class Runner(Protocol):
    """A model in memory: `xllamacpp.Server`."""

    def handle_chat_completions(self, request: dict[str, Any], on_chunk: Callable[[dict[str, Any]], bool]) -> None:
        """Stream a completion into `on_chunk`, until it returns True."""


class Loaded(msgspec.Struct, frozen=True):
    """What is in memory; `expires_at` is on the monotonic clock, infinite to stay."""

    model: str
    file: Path
    context_tokens: int
    expires_at: float


class Job:
    """One request to the engine; iterate it for llama.cpp's chunks.

    Without a `request` the model is only loaded, or unloaded when `keep_alive` (seconds) is 0. Iterating raises
    ApiError when the generation fails; leaving the iteration early cancels the generation.
    """

    def __init__(
        self, model: str, file: Path, request: dict[str, Any] | None, context_tokens: int, keep_alive: float
    ) -> None:
        self.model, self.file, self.request = model, file, request
        self.context_tokens, self.keep_alive = context_tokens, keep_alive
        self.load_seconds = 0.0
        self.cancelled = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[dict[str, Any] | ApiError | None] = asyncio.Queue()

    def send(self, chunk: dict[str, Any] | ApiError | None) -> bool:
        """Called by the engine's thread; None ends the iteration. Returns whether to stop."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
        return self.cancelled.is_set()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        try:
            while (chunk := await self._chunks.get()) is not None:
                if isinstance(chunk, ApiError):
                    raise chunk
                yield chunk
        finally:
            self.cancelled.set()


class Engine:
    """The queue and its thread."""

    def __init__(
        self, load: Callable[[Path, int], Runner] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load or load_llama
        self._clock = clock
        self._runner: Runner | None = None
        self._loaded: Loaded | None = None
        self._current: Job | None = None
        self._jobs: queue.Queue[Job | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._work, name="llama", daemon=True)
        self._thread.start()

    @property
    def loaded(self) -> Loaded | None:
        """What is in memory now."""
        return self._loaded

    def submit(self, job: Job) -> Job:
        """Queue a job. Raises ApiError (503) when too many wait already."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise ApiError(503, "server busy, please try again. maximum pending requests exceeded") from None
        return job

    def close(self) -> None:
        """Stop after cancelling what runs; waiting jobs are dropped with the process."""
        if self._current is not None:
            self._current.cancelled.set()
        while not self._jobs.empty():
            self._jobs.get_nowait()
        self._jobs.put_nowait(None)
        self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._seconds_to_live())
            except queue.Empty:
                self._unload()
                continue
            if job is None:
                self._unload()
                return
            self._current = job
            self._serve(job)
            self._current = None

    def _serve(self, job: Job) -> None:
        try:
            if not job.cancelled.is_set():
                self._run(job)
        except ValueError as error:  # llama.cpp's answer to a request it cannot take, such as a bad schema
            job.send(ApiError(400, str(error)))
        except Exception as error:  # llama.cpp raises bare exceptions; the thread must outlive them
            log.exception("generation_failed", model=job.model)
            job.send(ApiError(500, f"the language model failed: {error!r}"))
        job.send(None)

    def _run(self, job: Job) -> None:
        if job.request is None and job.keep_alive == 0:
            self._unload()
            return
        began = self._clock()
        runner = self._ready(job)
        job.load_seconds = self._clock() - began
        if job.request is not None:
            runner.handle_chat_completions(job.request, lambda chunk: job.send(_checked(chunk)))
        if job.keep_alive == 0:
            self._unload()
        else:
            self._loaded = Loaded(job.model, job.file, job.context_tokens, self._clock() + job.keep_alive)

    def _ready(self, job: Job) -> Runner:
        """The runner of the job's model, loaded first when another or none is in memory."""
        current = self._loaded
        if self._runner and current and (current.file, current.context_tokens) == (job.file, job.context_tokens):
            return self._runner
        self._unload()
        self._runner = self._load(job.file, job.context_tokens)
        self._loaded = Loaded(job.model, job.file, job.context_tokens, self._clock() + job.keep_alive)
        return self._runner

    def _unload(self) -> None:
        self._runner = None  # the last reference: its destructor frees the memory
        self._loaded = None

    def _seconds_to_live(self) -> float | None:
        if self._loaded is None or self._loaded.expires_at == float("inf"):
            return None
        return max(0.0, self._loaded.expires_at - self._clock())


def load_llama(file: Path, context_tokens: int) -> Runner:
    """Load a GGUF file with llama.cpp, for one conversation at a time."""
    # Read when the library is loaded: with the default, waiting threads burn the cores that others need.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    import xllamacpp

    threads = min(_MAX_THREADS, len(os.sched_getaffinity(0)))
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx = context_tokens
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.warmup = False
    parameters.verbosity = -1
    # llama.cpp always opens a listener of its own; on a socket file that is gone at once nobody can reach it.
    with tempfile.TemporaryDirectory(prefix="riskee-llm-") as private:
        parameters.hostnames = [f"{private}/llama.sock"]
        runner: Runner = xllamacpp.Server(parameters)
    return runner


def _checked(chunk: dict[str, Any]) -> dict[str, Any] | ApiError:
    if "error" not in chunk:
        return chunk
    error = chunk["error"]
    return ApiError(int(error.get("code", 500)), str(error.get("message", error)))
