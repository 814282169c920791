"""The words of the language model: asked for, decoded, checked; only sentences that pass are kept."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from riskee.breaker import Breaker
from riskee.embedding.embedder import Embedder
from riskee.errors import RiskeeError
from riskee.explanation import prompt
from riskee.explanation.facts import Facts
from riskee.explanation.prompt import Draft
from riskee.explanation.verification import refuse_drivers, refuse_report
from riskee.logs import get_logger

ATTEMPTS = 2
# With less time than this left, asking would only waste it.
MIN_SECONDS = 4.0
_WARM_UP = 120.0

_log = get_logger(__name__)


class LanguageModel(Protocol):
    """`riskee.storage.llm.Llm`."""

    @property
    def model(self) -> str: ...

    async def answer(
        self, system: str, prompt: str, schema: dict[str, Any], *, max_tokens: int, seed: int, seconds: float
    ) -> str: ...


@dataclass(frozen=True)
class Writer:
    """Asks at most twice, and not at all while the breaker is open."""

    llm: LanguageModel
    embedder: Embedder
    breaker: Breaker
    monotonic: Callable[[], float]

    async def warm_up(self) -> None:
        """Have the model loaded and its constant prompt read, so that the first explanation need not wait for it."""
        try:
            await self.llm.answer(
                prompt.SYSTEM, "Answer as JSON.", {"type": "object"}, max_tokens=1, seed=0, seconds=_WARM_UP
            )
        except RiskeeError as error:
            _log.info("the language model is not ready yet", cause=str(error))

    async def write(self, facts: Facts, seconds: float) -> Draft | None:
        """A draft whose every sentence was verified, or None when none came about in time."""
        deadline = self.monotonic() + seconds
        for seed in range(ATTEMPTS):
            left = deadline - self.monotonic()
            if left < MIN_SECONDS or not self.breaker.allows():
                return None
            draft = await self._attempt(facts, seed, left)
            if draft is not None:
                return draft
        return None

    async def _attempt(self, facts: Facts, seed: int, seconds: float) -> Draft | None:
        try:
            answer = await self.llm.answer(
                prompt.SYSTEM,
                prompt.user_prompt(facts),
                prompt.answer_schema(facts),
                max_tokens=prompt.MAX_TOKENS,
                seed=seed,
                seconds=seconds,
            )
            draft = prompt.read_answer(answer)
        except RiskeeError as error:
            self.breaker.failed()
            _log.warning("the language model gave nothing usable", cause=str(error))
            return None
        self.breaker.succeeded()
        return await asyncio.to_thread(self._checked, facts, draft)

    def _checked(self, facts: Facts, draft: Draft) -> Draft | None:
        drivers = prompt.leading_drivers(facts)
        reason = draft.reason if drivers and _passes(draft.reason, refuse_drivers(draft.reason, drivers, facts)) else ""
        documents = facts.labelled
        reports = {
            label: sentence
            for label, sentence in draft.reports.items()
            if label in documents and _passes(sentence, refuse_report(sentence, documents[label], facts))
        }
        reports = self._nearest_to_their_source(facts, reports)
        # Documents were given and not one sentence on them held: not worth the reader's time.
        wanted = reports if prompt.readable(facts) else reason
        return Draft(reason, reports) if wanted else None

    def _nearest_to_their_source(self, facts: Facts, reports: dict[str, str]) -> dict[str, str]:
        """Those that are nearer in meaning to the document they cite than to any other."""
        texts = prompt.readable(facts)
        if not reports or len(texts) < 2:
            return reports
        labels = list(texts)
        vectors = self.embedder.encode([*texts.values(), *reports.values()])
        similarity = vectors[len(labels) :] @ vectors[: len(labels)].T
        nearest = [labels[int(place)] for place in np.argmax(similarity, axis=1)]
        return {
            label: sentence
            for (label, sentence), best in zip(reports.items(), nearest, strict=True)
            if _passes(sentence, None if best == label else f"nearer to document {best} than to {label}")
        }


def _passes(sentence: str, refusal: str | None) -> bool:
    if refusal:
        _log.info("sentence refused", sentence=sentence, reason=refusal)
    return refusal is None
