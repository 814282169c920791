"""How many explanations are written at once, and who is next: people before the product's own initiative."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class Turn:
    """Somebody's wish to write. It may become urgent while it waits."""

    urgent: bool
    _entered: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Gate:
    """At most `places` are inside, and at most `longest` wait: one more takes the place of one that is less urgent, or
    is turned away. Whoever waits longer goes first among equals."""

    def __init__(self, places: int, longest: int, observe: Callable[[int], None] = lambda _waiting: None) -> None:
        self._free = places
        self._longest = longest
        self._observe = observe
        self._waiting: list[Turn] = []

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether somebody who comes now has to wait."""
        return self._free == 0

    @asynccontextmanager
    async def enter(self, turn: Turn, seconds: float) -> AsyncIterator[bool]:
        """Inside, or not: there was no place within so many seconds, or too many waited."""
        entered = await self._entered(turn, seconds)
        try:
            yield entered
        finally:
            if entered:
                self._leave()

    async def _entered(self, turn: Turn, seconds: float) -> bool:
        if self._free:
            self._free -= 1
            return True
        if len(self._waiting) >= self._longest and not self._give_way(turn):
            return False
        self._waiting.append(turn)
        self._observe(self.waiting)
        entered = turn._entered
        try:
            await asyncio.wait({entered}, timeout=seconds)
        except asyncio.CancelledError:
            if entered.done() and entered.result():
                self._leave()
            raise
        finally:
            self._forget(turn)
        return entered.done() and entered.result()

    def _give_way(self, turn: Turn) -> bool:
        """Send the last of the less urgent away, if there is one."""
        patient = [each for each in self._waiting if not each.urgent]
        if not turn.urgent or not patient:
            return False
        self._forget(patient[-1])
        patient[-1]._entered.set_result(False)
        return True

    def _leave(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        chosen = min(self._waiting, key=lambda turn: not turn.urgent)
        self._forget(chosen)
        chosen._entered.set_result(True)

    def _forget(self, turn: Turn) -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
        self._observe(self.waiting)
