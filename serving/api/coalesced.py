"""Reads of many requests in one.

redis-py spends about 60 us of a processor on a command, however much that reads, and a query of the database takes a
thread and a round trip. So the requests that come while a read is on its way wait for the next one, which is for all of
them (docs/adr/0125).
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class Coalesced(Generic[ValueT]):
    """Asks `read`, which takes names and answers with what those that it found have.

    Of those who wait only so many share a read that it has hardly more than `most` names.
    """

    def __init__(
        self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, ValueT]]], most: float = math.inf
    ) -> None:
        self._read = read
        self._most = most
        self._waiting: list[tuple[Collection[str], asyncio.Future[Mapping[str, ValueT]]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def get(self, name: str) -> ValueT | None:
        """What is read under a name, never before this call. Raises what `read` raises."""
        return (await self.all((name,))).get(name)

    async def all(self, names: Collection[str]) -> Mapping[str, ValueT]:
        """What is read under names, never before this call, and under those of others who share the read. Raises what
        `read` raises."""
        answer: asyncio.Future[Mapping[str, ValueT]] = asyncio.get_running_loop().create_future()
        self._waiting.append((names, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on())
        return await answer

    async def _read_on(self) -> None:
        try:
            while self._waiting:
                names, answers = self._turn()
                await self._settle(names, answers)
        finally:
            self._reading = None

    def _turn(self) -> tuple[Sequence[str], Sequence[asyncio.Future[Mapping[str, ValueT]]]]:
        """The names of the next read, each once, and the answers to those who wait for it, at least one."""
        names: dict[str, None] = {}
        answers = []
        for wanted, answer in self._waiting:
            names.update(dict.fromkeys(wanted))
            answers.append(answer)
            if len(names) >= self._most:
                break
        del self._waiting[: len(answers)]
        return list(names), answers

    async def _settle(self, names: Sequence[str], answers: Sequence[asyncio.Future[Mapping[str, ValueT]]]) -> None:
        """Answer all who wait; one who waits no more, because its request has ended, is passed over."""
        try:
            found = await self._read(names)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is raised where the answer is waited for)
            for answer in answers:
                if not answer.done():
                    answer.set_exception(error)
            return
        for answer in answers:
            if not answer.done():
                answer.set_result(found)
