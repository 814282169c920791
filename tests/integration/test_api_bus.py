"""The API's connection to the bus, and what it tells of the servers it needs."""

import pytest

from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.telemetry import DEPENDENCY_UP
from serving.api import backend as backends
from serving.api.backend import open_backend
from serving.api.background import Background
from serving.api.hearing import Hearing
from tests.integration.conftest import eventually

pytestmark = pytest.mark.integration


async def test_a_connection_that_is_closed_for_good_is_made_anew(bus: Bus, known: Settings) -> None:
    """The client never comes back from an error that the server sends, such as one for reading too slowly."""
    async with open_backend(known, Background(lambda: None)) as backend:
        await eventually(lambda: backend.asker.bus is not None)
        first = backend.asker.bus
        assert first is not None
        await first.client._process_err("'slow consumer detected'")
        await eventually(lambda: backend.asker.bus is not first)
        assert (await backend.check())["nats"] == "ok"


async def test_a_connection_that_is_lost_while_it_is_made_is_made_anew(
    bus: Bus, known: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Bus] = []
    attach = Hearing.attach

    async def lost(hearing: Hearing, to: Bus) -> None:
        made.append(to)
        if len(made) == 1:
            await to.client.close()
        await attach(hearing, to)

    monkeypatch.setattr(Hearing, "attach", lost)
    failures: list[None] = []
    async with open_backend(known, Background(lambda: failures.append(None))) as backend:
        await eventually(lambda: failures or backend.asker.bus is not None)
        assert (failures, len(made)) == ([], 2)
        assert (await backend.check())["nats"] == "ok"


async def test_a_server_that_is_back_is_told_of_without_anybody_asking(
    bus: Bus, known: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus asks for the metrics alone, and by them ServerDown is told."""
    monkeypatch.setattr(backends, "_LOOK_SECONDS", 0.05)
    gauges = [DEPENDENCY_UP.labels(name) for name in ("database", "redis", "nats")]
    for gauge in gauges:
        gauge.set(0)
    async with open_backend(known, Background(lambda: None)):
        await eventually(lambda: [gauge._value.get() for gauge in gauges] == [1, 1, 1])
