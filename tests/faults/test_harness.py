"""Bars can fail: with a defect put in on purpose the fault tests say which one does not hold."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.arena import Setup
from tests.faults.conftest import full_only
from tests.faults.entry import Change
from tests.faults.recovery import SERVICE_SECONDS
from tests.faults.scenario import Load, Scenario, play
from tests.faults.test_messages import corrupt_promotion, versions
from tests.integration.conftest import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


async def _kill_both(scenario: Scenario) -> None:
    for name in ("record", "predict"):
        await scenario.strike(lambda name=name: scenario.arena.kill(name), 1)  # type: ignore[misc]


async def _trust(scenario: Scenario) -> None:
    await eventually(lambda: versions(scenario))
    before = versions(scenario)
    await corrupt_promotion(scenario)
    # The altered bytes have a name of their own.
    await eventually(lambda: versions(scenario) - before)


async def _wait(scenario: Scenario) -> None:
    await asyncio.sleep(15)


async def _nothing(_scenario: Scenario) -> None:
    pass


async def _ask(scenario: Scenario) -> None:
    async with scenario.asker.asking():
        await asyncio.sleep(5)


async def _lose_the_cache(scenario: Scenario) -> None:
    # Once there is something to lose.
    await eventually(lambda: versions(scenario))
    # Away for longer than a write waits, however quickly it starts again: a quick machine would notice nothing.
    scenario.arena.signal("redis", signal.SIGSTOP)
    await asyncio.sleep(2)
    await asyncio.to_thread(scenario.arena.kill, "redis")
    await asyncio.sleep(5)


RECORD, PREDICT, BOTH = ("record",), ("predict",), ("record", "predict")
NOT_ONCE = ("no ON CONFLICT", "dies after commit")


@pytest.mark.parametrize(
    ("services", "defects", "fault", "told"),
    [
        pytest.param(RECORD, ("ack before commit",), _kill_both, "quotes accepted but not stored"),
        pytest.param(PREDICT, ("random prediction ids",), _kill_both, "id is not derived", marks=full_only),
        pytest.param(PREDICT, ("predicts twice",), _nothing, "quotes predicted twice by a model", marks=full_only),
        pytest.param(PREDICT, ("one id for two",), _ask, "events published twice", marks=full_only),
        pytest.param(PREDICT, ("forsakes the cache",), _lose_the_cache, "in the cache is not", marks=full_only),
        pytest.param(PREDICT, ("stale state",), _kill_both, "differences from a run without", marks=full_only),
        pytest.param(BOTH, ("no dead letters",), _kill_both, "poison sent but not dead-lettered", marks=full_only),
        pytest.param(RECORD, NOT_ONCE, _wait, "poison dead-lettered but not sent", marks=full_only),
        pytest.param(PREDICT, ("trusting",), _trust, "cannot be made again", marks=full_only),
    ],
)
async def test_a_defect_is_found(
    services: tuple[str, ...], defects: tuple[str, ...], fault: Callable[[Scenario], Awaitable[None]], told: str
) -> None:
    setup = Setup(changes={service: Change(broken=defects) for service in services})
    result = await play(f"defect: {', '.join(defects)}", Load(200, 8, poison=0.01), fault, setup=setup, defective=True)
    assert any(told in violation for violation in result.violations), result.violations


@full_only
async def test_a_slow_recovery_is_found() -> None:
    setup = Setup(changes={"record": Change(broken=("slow start",))})

    async def kill(scenario: Scenario) -> None:
        await scenario.strike(lambda: scenario.arena.kill("record"), 1)

    result = await play("defect: slow start", Load(100, 5), kill, setup=setup, bar=SERVICE_SECONDS, defective=True)
    assert [failure for failure in result.failures if failure.startswith("recovery p95")]
