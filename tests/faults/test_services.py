"""Services that are killed or stopped: what was accepted is stored exactly once, and they are back in seconds."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.faults.arena import SERVICES, Setup
from tests.faults.conftest import full_only, load, times
from tests.faults.entry import Change
from tests.faults.market import TICKERS
from tests.faults.recovery import SERVICE_SECONDS, Recovery
from tests.faults.reporting import Result
from tests.faults.scenario import Scenario, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
Holds = Callable[[Result], None]


@full_only
async def test_without_faults(holds: Holds) -> None:
    async def nothing(scenario: Scenario) -> None:
        pass

    holds(await play("no fault", load(1000), nothing))


@pytest.mark.parametrize("name", ["predict", "record"])
async def test_a_killed_service(name: str, holds: Holds) -> None:
    """While predictions are asked for too: each request is answered."""
    asked: list[int] = []

    async def kill(scenario: Scenario) -> None:
        async with scenario.asker.asking():
            await scenario.strike(lambda: scenario.arena.kill(name), times(5))
        asked.append(len(scenario.asker.accepted))

    result = await play(f"kill -9 of {name}", load(1000), kill, bar=SERVICE_SECONDS)
    holds(result)
    assert result.answers >= sum(asked) / 2


@full_only
async def test_a_killed_predictor_of_two(holds: Holds) -> None:
    """The other one takes over its tickers, or it comes back in time."""

    async def kill(scenario: Scenario) -> None:
        for name in ("predict", "predict-2", "predict", "predict-2", "predict"):
            await scenario.strike(lambda name=name: scenario.arena.kill(name), 1)  # type: ignore[misc]

    setup = Setup(services=("predict", "predict-2", "record"), environ={"RISKEE_PREDICT__PROCESSES": "2"})
    holds(await play("kill -9 of one of two predictors", load(1000), kill, setup=setup, bar=SERVICE_SECONDS))


@full_only
@pytest.mark.parametrize(("name", "moment"), [("record", "dies after commit"), ("predict", "dies after publishing")])
async def test_a_service_that_dies_before_it_acknowledges(name: str, moment: str, holds: Holds) -> None:
    """Again and again, at the one moment that a kill from outside seldom meets."""

    async def wait(scenario: Scenario) -> None:
        before = scenario.arena.status(name).restarts
        await asyncio.sleep(50)
        assert scenario.arena.status(name).restarts - before >= 2

    setup = Setup(changes={name: Change(broken=(moment,))})
    holds(await play(f"{name} {moment}", load(1000), wait, setup=setup))


@full_only
async def test_a_killed_api(holds: Holds) -> None:
    """Recovery is the time until it answers with a prediction again."""

    async def kill(scenario: Scenario) -> None:
        loop, port = asyncio.get_running_loop(), scenario.arena.status("api").port
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            for _ in range(5):
                await asyncio.to_thread(scenario.arena.kill, "api")
                began = loop.time()
                while not await _answers(client):
                    assert loop.time() - began < 60, "the API does not come back"
                    await asyncio.sleep(0.05)
                scenario.recoveries.append(Recovery(loop.time() - began, 0.0))
                await asyncio.sleep(scenario.random.uniform(1, 3))

    setup = Setup(services=(*SERVICES, "api"))
    holds(await play("kill -9 of api", load(), kill, setup=setup, bar=SERVICE_SECONDS))


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        answer = await client.get(f"/predict/{TICKERS[0]}")
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK and "p_up" in answer.json()
