"""Making streams on a disk that is too small, without a server."""

from typing import Any, cast

import pytest
from nats.js import JetStreamContext
from nats.js.api import StreamConfig, StreamInfo, StreamState
from nats.js.errors import APIError, NotFoundError

from riskee.errors import FatalError, RetryableError
from riskee.messaging.streams import MIB, STREAMS
from riskee.settings import NatsSettings
from riskee.storage.bus import SMALLEST_STREAM, Bus
from riskee.storage.client import LightClient
from riskee.storage.receipts import Receipts


class Server:
    """A JetStream that has no stream yet and so many bytes for each."""

    def __init__(self, room: int, code: int = 10047, status: int = 500) -> None:
        self.room = room
        self.code = code
        self.status = status
        self.made: list[StreamConfig] = []

    async def stream_info(self, _name: str) -> StreamInfo:
        raise NotFoundError

    async def add_stream(self, config: StreamConfig) -> None:
        if (config.max_bytes or 0) > self.room:
            raise APIError(code=self.status, err_code=self.code, description="insufficient storage")
        self.made.append(config)


def bus(server: Any) -> Bus:
    client = cast("LightClient", None)
    return Bus(NatsSettings(), client, cast("JetStreamContext", server), Receipts(client))


async def test_streams_shrink_until_they_fit() -> None:
    server = Server(100 * MIB)
    await bus(server).ensure_streams()
    sizes = [config.max_bytes or 0 for config in server.made]
    assert len(sizes) == len(STREAMS)
    assert all(SMALLEST_STREAM <= size <= 100 * MIB for size in sizes)


async def test_no_room_at_all_is_fatal_and_names_the_remedy() -> None:
    with pytest.raises(FatalError, match="RISKEE_NATS__STORE_LIMIT_BYTES"):
        await bus(Server(0)).ensure_streams()


async def test_another_refusal_is_fatal_at_once() -> None:
    with pytest.raises(FatalError, match="MARKET_DATA cannot be made"):
        await bus(Server(0, code=10065, status=400)).ensure_streams()


@pytest.mark.parametrize("status", [500, 503])
async def test_a_server_that_cannot_for_now_is_asked_again(status: int) -> None:
    """JetStream says so while it starts, say."""
    with pytest.raises(RetryableError, match="MARKET_DATA cannot be made yet"):
        await bus(Server(0, code=10008, status=status)).ensure_streams()


async def test_a_silent_server_is_retryable() -> None:
    class Silent(Server):
        async def stream_info(self, _name: str) -> StreamInfo:
            raise TimeoutError

    with pytest.raises(RetryableError, match="does not answer"):
        await bus(Silent(0)).ensure_streams()


@pytest.mark.parametrize(("change", "updated"), [({}, 0), ({"max_age": 1.0}, 1), ({"allow_direct": True}, 0)])
async def test_a_stream_is_updated_only_where_it_is_not_as_asked_for(change: dict[str, Any], updated: int) -> None:
    """A service may look at streams, and not change them."""

    class Existing(Server):
        async def stream_info(self, name: str) -> StreamInfo:
            there = next(config for config in wanted.made if config.name == name)
            found = there.evolve(**change) if name == STREAMS[0].name else there
            return StreamInfo(config=found, state=StreamState(0, 0, 0, 0, 0))

        async def update_stream(self, config: StreamConfig) -> None:
            updates.append(config)

    wanted, updates = Server(2**63), list[StreamConfig]()
    await bus(wanted).ensure_streams()
    await bus(Existing(0)).ensure_streams()
    assert len(updates) == updated
