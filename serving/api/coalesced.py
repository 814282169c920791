"""Reads of many requests in one.

redis-py spends about 60 us of a processor on a command, however much that reads. So the requests that come while a read
is on its way wait for the next one, which is for all of them (docs/adr/0125).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class Coalesced(Generic[ValueT]):
    """Asks `read`, which takes names and answers with what those that it found have, for one name at a time."""

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, ValueT]]]) -> None:
        self._read = read
        self._waiting: list[tuple[str, asyncio.Future[ValueT | None]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def get(self, name: str) -> ValueT | None:
        """What is read under a name, never before this call. Raises what `read` raises."""
        answer: asyncio.Future[ValueT | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on())
        return await answer

    async def _read_on(self) -> None:
        try:
            while self._waiting:
                wanted, self._waiting = self._waiting, []
                await self._settle(wanted)
        finally:
            self._reading = None

    async def _settle(self, wanted: Sequence[tuple[str, asyncio.Future[ValueT | None]]]) -> None:
        """Answer all who wait; one who waits no more, because its request has ended, is passed over."""
        try:
            found = await self._read(list(dict.fromkeys(name for name, _ in wanted)))
        except Exception as error:  # noqa: BLE001 (whatever it is, it is raised where the answer is waited for)
            for _, answer in wanted:
                if not answer.done():
                    answer.set_exception(error)
            return
        for name, answer in wanted:
            if not answer.done():
                answer.set_result(found.get(name))
