"""All streams of this process: who is connected, who hears a heartbeat, who is too slow."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from riskee.clock import Clock
from riskee.settings import StreamSettings
from riskee.telemetry import STREAM_ENDED
from serving.api.hub import Hub
from serving.api.streaming.admission import Admission
from serving.api.streaming.framing import Framing
from serving.api.streaming.messages import HeartbeatMessage
from serving.api.streaming.outlet import Outlet, Pump
from serving.api.streaming.protocols import TRY_AGAIN_LATER, Connection
from serving.api.streaming.update import Key, Kind

# How often in the shorter of the two times it is looked.
_LOOKS = 4
_LONGEST_PAUSE_SECONDS = 1.0


class Streams:
    """Opens streams and looks after them."""

    def __init__(self, settings: StreamSettings, hub: Hub, clock: Clock, monotonic: Callable[[], float]) -> None:
        self.admission = Admission(settings)
        self._settings = settings
        self._hub = hub
        self._clock = clock
        self._monotonic = monotonic
        self._pump = Pump(monotonic)
        self._open: set[Outlet] = set()

    @contextmanager
    def opened(self, connection: Connection, framing: Framing) -> Iterator[Outlet]:
        """A client's outlet for as long as the context lasts; it listens to nothing yet."""
        framing = self._hub.deliveries.told(framing)
        outlet = Outlet(connection, framing, self._pump, self._settings.buffer_bytes)
        self._open.add(outlet)
        try:
            yield outlet
        finally:
            self._open.discard(outlet)
            self._hub.unsubscribe(outlet.listener, tuple(outlet.listener.tickers))

    async def watch(self) -> None:
        """Beat for those that hear nothing, end those that take nothing, and count what was sent."""
        settings = self._settings
        shortest = min(settings.heartbeat_seconds, settings.slow_after_seconds)
        pause = min(shortest / _LOOKS, _LONGEST_PAUSE_SECONDS)
        while True:
            await asyncio.sleep(pause)
            self._look(self._monotonic())
            self._pump.publish()

    def _look(self, now: float) -> None:
        settings = self._settings
        silent, time = [], self._clock.now()
        for outlet in tuple(self._open):
            blocked = outlet.blocked_since
            if blocked is not None and now - blocked > settings.slow_after_seconds:
                if outlet.connection.open:
                    STREAM_ENDED.labels("slow").inc()
                    outlet.connection.end(
                        TRY_AGAIN_LATER,
                        f"nothing was read for {settings.slow_after_seconds:g} s: connect again and read faster",
                    )
            elif now - outlet.last_sent >= settings.heartbeat_seconds:
                silent.append(outlet.listener)
        if silent:
            self._hub.say(silent, Key(Kind.HEARTBEAT), lambda sequence: HeartbeatMessage(sequence, time))
