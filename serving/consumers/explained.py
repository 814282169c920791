"""Explanations that were made lately: in the cache for ten minutes, and those that are being made right now.

An explanation is used again only while the facts are the same, told by their digest, and so are prompt and model.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.explanation import prompt
from riskee.explanation.gate import Turn
from riskee.explanation.lasting import lasts
from riskee.messaging.explanations import Explanation
from riskee.messaging.messages import Prediction
from riskee.storage import keys
from riskee.storage.cache import Cache, decoded
from riskee.storage.entries import Entry
from riskee.telemetry import CACHE_WRITE_ERRORS, EXPLANATIONS_REUSED
from serving.health import Health


@dataclass(frozen=True)
class Kept:
    """`explanation:{ticker}:{ts}`. Without the cache everything is made anew."""

    cache: Cache
    clock: Clock
    health: Health
    llm: str

    async def of(self, prediction: Prediction, facts_sha256: str) -> Explanation | None:
        """An explanation of this prediction from exactly these facts."""
        try:
            body = await self.cache.body(keys.EXPLANATION, ticker=prediction.ticker, ts=prediction.prediction_time)
        except RetryableError as error:
            self.health.down("redis", str(error))
            return None
        found = decoded(body, Explanation)
        # One quote may have predictions of each model type and of jobs, and all of them one key.
        if found is None or (found.prediction_id, found.facts_sha256) != (prediction.prediction_id, facts_sha256):
            return None
        if not lasts(found, prompt.VERSION, self.llm, self.clock.now()):
            return None
        EXPLANATIONS_REUSED.labels("cached").inc()
        return found

    async def keep(self, prediction: Prediction, explanation: Explanation) -> None:
        """Write it to the cache; where that is away, it is counted."""
        entry = Entry.of(
            keys.EXPLANATION,
            {"ticker": prediction.ticker, "ts": prediction.prediction_time},
            {
                keys.BODY: msgspec.json.encode(explanation),
                "generator": explanation.generator,
                "facts": explanation.facts_sha256,
            },
        )
        try:
            await self.cache.write([entry])
        except RetryableError as error:
            CACHE_WRITE_ERRORS.inc()
            self.health.down("redis", str(error))
        else:
            self.health.up("redis")


class _Making(NamedTuple):
    task: asyncio.Task[Explanation]
    turn: Turn


@dataclass(frozen=True)
class Making:
    """Who asks for what is being made gets the same; where people ask, it becomes as urgent as their request."""

    _under_way: dict[str, _Making] = field(default_factory=dict)

    async def once(self, facts_sha256: str, turn: Turn, make: Callable[[], Awaitable[Explanation]]) -> Explanation:
        """The explanation from these facts, made by the first who asks. Raises as `make`, for all of them."""
        known = self._under_way.get(facts_sha256)
        if known is not None:
            known.turn.urgent = known.turn.urgent or turn.urgent
            EXPLANATIONS_REUSED.labels("shared").inc()
            return await asyncio.shield(known.task)

        async def run() -> Explanation:
            return await make()

        task = asyncio.create_task(run())
        self._under_way[facts_sha256] = _Making(task, turn)
        task.add_done_callback(lambda _: self._under_way.pop(facts_sha256))
        return await asyncio.shield(task)
