"""Questions over the bus."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import pytest
from nats.aio.msg import Msg

from riskee.clock import SystemClock
from riskee.errors import RetryableError
from riskee.messaging.subjects import EXPLAIN, EXPLAINED, Subject
from riskee.storage.bus import Bus, codec_of
from serving.api.asking import Asker
from tests.unit.messaging.samples import PREDICTION, sample
from tests.unit.serving.standings import made_hub


class Failing:
    """A bus that is lost while a question is published."""

    connected = True

    async def publish(self, *_: Any) -> None:
        await asyncio.sleep(0.01)
        raise RetryableError("the bus went away")


async def test_who_joined_a_question_learns_that_it_was_not_put() -> None:
    asker = Asker(made_hub(), SystemClock(), bus=cast("Bus", Failing()))
    outcomes = await asyncio.gather(*(asker.explain(PREDICTION, 60) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RetryableError] * 3
    with pytest.raises(RetryableError):
        await asker.explain(PREDICTION, 60)


class Slow:
    """A bus that takes a while to accept a question."""

    connected = True

    def __init__(self) -> None:
        self.accepted: list[Subject[Any]] = []
        self.listeners: dict[str, Callable[[Msg], Awaitable[None]]] = {}

    async def publish(self, subject: Subject[Any], *_: Any) -> None:
        await asyncio.sleep(0.01)
        self.accepted.append(subject)

    async def listen(self, subject: str, receive: Callable[[Msg], Awaitable[None]]) -> None:
        self.listeners[subject] = receive


async def test_a_question_is_put_though_who_asked_first_is_gone() -> None:
    bus = Slow()
    asker = Asker(made_hub(), SystemClock(), bus=cast("Bus", bus))
    first = asyncio.create_task(asker.explain(PREDICTION, 60))
    second = asyncio.create_task(asker.explain(PREDICTION, 0.1))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(TimeoutError):
        await second
    assert (first.cancelled(), bus.accepted) == (True, [EXPLAIN])


async def test_who_asks_in_the_moment_of_an_answer_gets_one_too() -> None:
    bus = Slow()
    asker = Asker(made_hub(), SystemClock())
    await asker.attach(cast("Bus", bus))
    answer = sample(EXPLAINED.name)
    about = msgspec.structs.replace(PREDICTION, prediction_id=answer.payload.prediction_id)
    told = Msg(_client=cast("Any", None), subject=EXPLAINED.name, data=codec_of(EXPLAINED).encode(answer))

    first = asyncio.create_task(asker.explain(about, 5))
    await asyncio.sleep(0)
    await bus.listeners[EXPLAINED.name](told)
    second = asyncio.create_task(asker.explain(about, 5))  # before the first has gone on
    assert await first == answer.payload
    async with asyncio.timeout(60):
        while len(bus.accepted) < 2:
            await asyncio.sleep(0.01)
    await bus.listeners[EXPLAINED.name](told)
    assert await second == answer.payload
