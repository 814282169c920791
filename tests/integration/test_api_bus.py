"""The API's connection to the bus."""

import pytest

from riskee.settings import Settings
from riskee.storage.bus import Bus
from serving.api.backend import open_backend
from serving.api.background import Background
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
