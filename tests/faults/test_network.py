"""A network that cuts, stalls and slices what passes between services and servers."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from tests.faults.arena import SERVICES, Setup
from tests.faults.conftest import FULL, full_only, load, times
from tests.faults.entry import Change
from tests.faults.proxy import Proxy
from tests.faults.recovery import SERVER_SECONDS
from tests.faults.reporting import Result
from tests.faults.scenario import Scenario, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
Holds = Callable[[Result], None]
STALL_SECONDS = 8.0 if FULL else 3.0


async def _trouble(scenario: Scenario, proxy: Proxy) -> None:
    """Everything that the proxy can do wrong, sliced all the time."""

    async def stalled() -> None:
        proxy.stall()
        await asyncio.sleep(STALL_SECONDS)
        proxy.flow()

    async def half_open() -> None:
        """Silence first, then the end: what was written meanwhile is lost."""
        proxy.stall()
        await asyncio.sleep(1)
        proxy.cut()
        proxy.flow()

    proxy.slicing = True
    await scenario.strike(proxy.cut, times(3))
    await scenario.measure(stalled)
    for _ in range(times(2)):
        await scenario.measure(half_open)


@pytest.mark.parametrize(
    ("server", "services"),
    # Only predict writes to the cache.
    [
        ("nats", SERVICES),
        pytest.param("database", SERVICES, marks=full_only),
        pytest.param("redis", ("predict",), marks=full_only),
    ],
)
async def test_a_bad_network(server: str, services: Sequence[str], holds: Holds) -> None:
    async def spoil(scenario: Scenario) -> None:
        proxy = scenario.arena.proxies[server]
        before = proxy.connections
        assert before >= len(services), "the services go through the proxy"
        await _trouble(scenario, proxy)
        assert proxy.connections > before, "they came again after the cuts"

    setup = Setup(changes={name: Change() for name in services}, proxied=frozenset({server}))
    name = f"network to {server} cut, stalled for {STALL_SECONDS:g} s, sliced"
    holds(await play(name, load(), spoil, setup=setup, bar=SERVER_SECONDS))
