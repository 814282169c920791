"""Services that are killed or stopped: what was accepted is stored exactly once, and they are back in seconds."""

from collections.abc import Callable

import pytest

from tests.faults.conftest import load, times
from tests.faults.recovery import SERVICE_SECONDS
from tests.faults.reporting import Result
from tests.faults.scenario import Scenario, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
Holds = Callable[[Result], None]


async def test_without_faults(holds: Holds) -> None:
    async def nothing(scenario: Scenario) -> None:
        pass

    holds(await play("no fault", load(1000), nothing))


@pytest.mark.parametrize("name", ["predict", "record"])
async def test_a_killed_service(name: str, holds: Holds) -> None:
    async def kill(scenario: Scenario) -> None:
        await scenario.strike(lambda: scenario.arena.kill(name), times(5))

    holds(await play(f"kill -9 of {name}", load(), kill, bar=SERVICE_SECONDS))
