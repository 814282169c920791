"""The words of the language model: asked for, read as they come, checked; only sentences that hold are kept."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from riskee.breaker import Breaker
from riskee.embedding.embedder import Embedder
from riskee.errors import PoisonError, RiskeeError
from riskee.explanation import prompt, template
from riskee.explanation.checking import Checker
from riskee.explanation.facts import Facts
from riskee.explanation.gate import Gate, Turn
from riskee.explanation.progress import Progress
from riskee.explanation.prompt import Draft
from riskee.explanation.reading import AnswerReader
from riskee.logs import get_logger
from riskee.messaging.explanations import Fallback
from riskee.telemetry import LLM_SECONDS

if TYPE_CHECKING:
    from riskee.storage.llm import Piece

ATTEMPTS = 2
# With less time than this left, asking would only waste it.
MIN_SECONDS = 4.0
LOADING_SECONDS = 120.0
# From the end of an answer to the end of its stream.
_LAST_SECONDS = 1.0

_log = get_logger(__name__)


class LanguageModel(Protocol):
    """`riskee.storage.llm.Llm`."""

    @property
    def model(self) -> str: ...

    def answer(
        self, system: str, prompt: str, schema: dict[str, Any], *, max_tokens: int, seed: int
    ) -> "AsyncGenerator[Piece, None]": ...


async def load(llm: LanguageModel) -> None:
    """Have the model answer once. Raises RiskeeError or TimeoutError where it does not."""
    asking = llm.answer(prompt.SYSTEM, "Answer as JSON.", {"type": "object"}, max_tokens=1, seed=0)
    async with asyncio.timeout(LOADING_SECONDS), aclosing(asking) as pieces:
        async for _ in pieces:
            pass


@dataclass
class Writing:
    """What has come of asking so far: sentences that hold by label, the others by why they were refused, the cost.

    `trouble`: what was last in the way of an answer, if anything but the checks was.
    """

    sentences: dict[str, str] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    tokens_in: int = 0
    tokens_out: int = 0
    trouble: Fallback | None = None

    def draft(self, facts: Facts) -> Draft | None:
        """What the explanation can use. Without a sentence on the documents that were given, it is too little."""
        reports = {label: sentence for label, sentence in self.sentences.items() if label != prompt.REASON}
        reason = self.sentences.get(prompt.REASON, "")
        wanted = reports if prompt.readable(facts) else reason
        return Draft(reason, reports) if wanted else None

    @property
    def fallback(self) -> Fallback:
        """Why the template has to speak, where there is no draft."""
        return self.trouble or "refused"


@dataclass(frozen=True)
class Writer:
    """Asks at most twice, not at all while the breaker is open, and together with as few others as the gate lets in."""

    llm: LanguageModel
    embedder: Embedder
    breaker: Breaker
    gate: Gate
    monotonic: Callable[[], float]

    async def warm_up(self) -> None:
        """Have the model loaded and its constant prompt read, so that the first explanation need not wait for it."""
        try:
            await load(self.llm)
        except (RiskeeError, TimeoutError) as error:
            _log.info("the language model is not ready yet", cause=str(error))

    async def write(self, facts: Facts, seconds: float, turn: Turn, progress: Progress) -> Writing:
        """The sentences that came about in time and hold, waiting for a turn included."""
        writing, deadline = Writing(), self.monotonic() + seconds
        if seconds < MIN_SECONDS:
            writing.trouble = "late"
            return writing
        if self.breaker.resting:
            writing.trouble = "resting"
            return writing
        if self.gate.full:
            await progress.at("queued")
        async with self.gate.enter(turn, seconds - MIN_SECONDS) as entered:
            # Whoever waited may find that the model has failed the others meanwhile.
            if not entered:
                writing.trouble = "busy"
            elif not self.breaker.allows():
                writing.trouble = "resting"
            else:
                await self._ask(Checker(facts, self.embedder), writing, deadline, progress)
        return writing

    async def _ask(self, checker: Checker, writing: Writing, deadline: float, progress: Progress) -> None:
        await progress.at("writing")
        for seed in range(ATTEMPTS):
            left = deadline - self.monotonic()
            if left < MIN_SECONDS:
                return
            with LLM_SECONDS.labels(self.llm.model).time():
                await self._attempt(checker, writing, seed, left, progress)
            if self.breaker.resting or writing.draft(checker.facts) is not None:
                return

    async def _attempt(self, checker: Checker, writing: Writing, seed: int, seconds: float, progress: Progress) -> None:
        reader = AnswerReader()
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._read(checker, reader, writing, seed, limit, progress)
            writing.trouble, cause = None if reader.pairs else "garbled", "the answer has no sentence"
        except TimeoutError:
            writing.trouble, cause = "late", f"no sentence within {seconds:.0f} s"
        except RiskeeError as error:
            # What was whole by then was checked and counts; the server is to be left alone all the same.
            writing.trouble = "garbled" if isinstance(error, PoisonError) else "away"
            self._failed(str(error))
            return
        if reader.pairs:
            self.breaker.succeeded()
        else:
            self._failed(cause)

    async def _read(
        self,
        checker: Checker,
        reader: AnswerReader,
        writing: Writing,
        seed: int,
        limit: asyncio.Timeout,
        progress: Progress,
    ) -> None:
        facts = checker.facts
        answer = self.llm.answer(
            prompt.SYSTEM,
            prompt.user_prompt(facts),
            prompt.answer_schema(facts),
            max_tokens=prompt.MAX_TOKENS,
            seed=seed,
        )
        async with aclosing(answer) as pieces:
            async for piece in pieces:
                writing.tokens_in += piece.tokens_in
                writing.tokens_out += piece.tokens_out
                if piece.text:
                    await progress.wrote(piece.text)
                for label, sentence in reader.feed(piece.text):
                    await self._check(checker, writing, label, sentence, progress)
                if reader.ended:
                    # Only the count of tokens is missing.
                    limit.reschedule(asyncio.get_running_loop().time() + _LAST_SECONDS)

    async def _check(self, checker: Checker, writing: Writing, label: str, sentence: str, progress: Progress) -> None:
        if label in writing.sentences:
            return
        refusal = await asyncio.to_thread(checker.refused, label, sentence)
        if refusal is None:
            writing.sentences[label] = sentence
            document = checker.facts.labelled.get(label)
            await progress.holds(template.dated(sentence, document) if document else sentence)
        else:
            writing.dropped[refusal] += 1

    def _failed(self, cause: str) -> None:
        self.breaker.failed()
        _log.warning("the language model gave nothing usable", cause=cause)
