"""Telling how far an explanation is, while it is made: what somebody who waits for it wants to see."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from riskee.messaging.explanations import ExplainProgress, Stage

# Tokens come in tens a second; a message for each would tell nobody more.
_PAUSE_SECONDS = 0.2

Tell = Callable[[ExplainProgress], Awaitable[None]]


@dataclass
class Progress:
    """Of one explanation. Stages and sentences are told at once, tokens now and then."""

    prediction_id: uuid.UUID
    ticker: str
    tell: Tell
    monotonic: Callable[[], float]
    show_drafts: bool = False
    _stage: Stage = "facts"
    _tokens: int = 0
    _draft: list[str] = field(default_factory=list)
    _told_at: float = 0.0

    async def at(self, stage: Stage) -> None:
        """A stage has begun."""
        self._stage = stage
        await self._say()

    async def wrote(self, text: str) -> None:
        """The language model has written some more: a token, as servers send them."""
        self._tokens += 1
        if self.show_drafts:
            self._draft.append(text)
        if self.monotonic() - self._told_at >= _PAUSE_SECONDS:
            await self._say()

    async def holds(self, sentence: str) -> None:
        """A sentence was checked, and holds."""
        await self._say(sentence)

    async def _say(self, sentence: str | None = None) -> None:
        self._told_at = self.monotonic()
        draft, self._draft = "".join(self._draft), []
        await self.tell(
            ExplainProgress(
                prediction_id=self.prediction_id,
                ticker=self.ticker,
                stage=self._stage,
                tokens=self._tokens,
                sentence=sentence,
                draft=draft or None,
            )
        )
