"""Questions over the bus."""

import asyncio
from typing import Any, cast

import pytest

from riskee.clock import SystemClock
from riskee.errors import RetryableError
from riskee.storage.bus import Bus
from serving.api.asking import Asker
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.standings import made_hub


class Failing:
    """A bus that is lost while a question is published."""

    connected = True

    async def publish(self, *_: Any) -> None:
        await asyncio.sleep(0.01)
        raise RetryableError("the bus went away")


async def test_who_joined_a_question_learns_that_it_was_not_put() -> None:
    asker = Asker(made_hub(), SystemClock(), bus=cast("Bus", Failing()))
    outcomes = await asyncio.gather(*(asker.explain(PREDICTION, 5) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RetryableError] * 3
    with pytest.raises(RetryableError):
        await asker.explain(PREDICTION, 5)
