"""What lies in DEAD_LETTER is shown, and goes when it is understood."""

import pytest

from riskee.clock import SystemClock
from riskee.storage.bus import Bus
from riskee.storage.dead_letters import clear_dead_letters, newest_dead_letters
from serving.consumers.dead_letters import dead_letter

pytestmark = pytest.mark.integration


async def test_the_newest_letters_are_shown_and_cleared(bus: Bus) -> None:
    assert await newest_dead_letters(bus, 5) == []
    for number in range(4):
        letter = dead_letter("data.market.quote", f"reason {number}", b"body", "ingest", SystemClock())
        await bus.publish_encoded([letter])
    await bus.jetstream.publish("dead.data.market.quote", b"not ours")
    assert [each.payload.reason for each in await newest_dead_letters(bus, 3)] == ["reason 2", "reason 3"]
    assert await clear_dead_letters(bus) == 5
    assert await newest_dead_letters(bus, 5) == []
