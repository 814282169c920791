"""Answers in Ollama's form. Durations are in nanoseconds."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from infra.embedded.ollama_front.engine import Job

Shape = Callable[[str], dict[str, Any]]
_NANOSECONDS = 1_000_000_000


def as_message(text: str) -> dict[str, Any]:
    """Text as `/api/chat` carries it."""
    return {"message": {"role": "assistant", "content": text}}


def as_response(text: str) -> dict[str, Any]:
    """Text as `/api/generate` carries it."""
    return {"response": text}


def header(model: str, now: datetime) -> dict[str, Any]:
    """What every answer of a generation starts with."""
    return {"model": model, "created_at": now.astimezone(UTC).isoformat()}


class Tally:
    """What the chunks of one generation add up to."""

    def __init__(self) -> None:
        self._finish = "load"
        self._usage: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}

    def text_of(self, chunk: dict[str, Any]) -> str:
        """The text that a chunk of llama.cpp adds; its bookkeeping is remembered."""
        self._usage = chunk.get("usage") or self._usage
        self._timings = chunk.get("timings") or self._timings
        text = ""
        for choice in chunk.get("choices", []):
            self._finish = choice.get("finish_reason") or self._finish
            text += choice.get("delta", {}).get("content") or ""
        return text

    def statistics(self, job: Job, seconds: float) -> dict[str, Any]:
        """The end of the last answer."""
        unloaded = job.request is None and job.keep_alive == 0
        return {
            "done": True,
            "done_reason": "unload" if unloaded else self._finish,
            "total_duration": int(seconds * _NANOSECONDS),
            "load_duration": int(job.load_seconds * _NANOSECONDS),
            "prompt_eval_count": self._usage.get("prompt_tokens", 0),
            "prompt_eval_duration": int(self._timings.get("prompt_ms", 0) * 1_000_000),
            "eval_count": self._usage.get("completion_tokens", 0),
            "eval_duration": int(self._timings.get("predicted_ms", 0) * 1_000_000),
        }
