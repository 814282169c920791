"""Each bar can fail: with a defect put in on purpose the fault tests say which one does not hold."""

from collections.abc import Awaitable, Callable

import pytest

from tests.faults.arena import Setup
from tests.faults.conftest import full_only
from tests.faults.entry import Change
from tests.faults.recovery import SERVICE_SECONDS
from tests.faults.scenario import Load, Scenario, play
from tests.faults.test_messages import corrupt_promotion

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


async def _kill_both(scenario: Scenario) -> None:
    for name in ("record", "predict"):
        await scenario.strike(lambda name=name: scenario.arena.kill(name), 1)  # type: ignore[misc]


async def _kill_nats(scenario: Scenario) -> None:
    await scenario.strike(lambda: scenario.arena.kill("nats"), 2)


@pytest.mark.parametrize(
    ("service", "defect", "fault", "told"),
    [
        pytest.param("record", "ack before commit", _kill_both, "quotes accepted but not stored"),
        pytest.param("predict", "random prediction ids", _kill_both, "id is not derived", marks=full_only),
        pytest.param("predict", "stale state", _kill_both, "differences from a run without faults", marks=full_only),
        pytest.param("record", "no dead letters", _kill_both, "poison sent but not dead-lettered", marks=full_only),
        pytest.param("record", "no ON CONFLICT", _kill_nats, "poison dead-lettered but not sent", marks=full_only),
        pytest.param("predict", "trusting", corrupt_promotion, "cannot be made again", marks=full_only),
    ],
)
async def test_a_defect_is_found(
    service: str, defect: str, fault: Callable[[Scenario], Awaitable[None]], told: str
) -> None:
    setup = Setup(changes={service: Change(broken=defect)})
    result = await play(f"defect: {defect}", Load(300, 8, poison=0.01), fault, setup=setup)
    assert any(told in violation for violation in result.violations), result.violations


@full_only
async def test_a_slow_recovery_is_found() -> None:
    setup = Setup(changes={"record": Change(broken="slow start")})

    async def kill(scenario: Scenario) -> None:
        await scenario.strike(lambda: scenario.arena.kill("record"), 1)

    result = await play("defect: slow start", Load(100, 5), kill, setup=setup, bar=SERVICE_SECONDS)
    assert [violation for violation in result.violations if violation.startswith("recovery p95")]
