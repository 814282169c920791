"""What to measure of the stream, what one load is, and what was found."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from serving.bench.latency import Latency
from serving.bench.machine import Machine


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Clients, deliveries a second to all of them together, seconds of a load, and tickers in all and of each.

    `closing_seconds`: how long after a load those that never read (`deaf`) may take to be closed.
    """

    clients: int = 5000
    rate: int = 10_000
    seconds: float = 20.0
    tickers: int = 100
    tickers_each: int = 10
    deaf: int = 20
    closing_seconds: float = 30.0

    @property
    def publications(self) -> int:
        """How many predictions are published in one load: each goes to the clients of its ticker."""
        return max(round(self.rate * self.seconds / self.audience), 1)

    @property
    def audience(self) -> float:
        """Clients of one ticker."""
        return self.clients * self.tickers_each / self.tickers


QUICK = StreamOptions(clients=200, rate=1000, seconds=2.0, tickers=20, tickers_each=4, deaf=2, closing_seconds=0.0)
"""For a smoke test."""


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """What the process of clients is told: where to connect, how many, and how many deliveries to wait for."""

    port: int
    path: str
    clients: int
    tickers: tuple[str, ...]
    tickers_each: int
    deaf: int
    expected: int


def own_tickers(client: int, tickers: Sequence[str], each: int) -> list[str]:
    """The tickers of one client: so many in a row, from where those of the client before end."""
    return [tickers[(client * each + place) % len(tickers)] for place in range(each)]


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients got: `fallen` counts sequences that were lower than the one before."""

    deliveries: int
    latency: Latency | None
    first: float
    last: float
    fallen: int
    closed: int
    cpu_seconds: float


class StreamLoad(msgspec.Struct, frozen=True, kw_only=True):
    """One load. KiB is what the server's memory grew by for each connection, before the load and after it."""

    target: Literal["product", "floor"]
    clients: int
    deaf: int
    published: int
    expected: int
    deliveries: int
    a_second: float
    latency: Latency | None
    fallen: int
    cpu_us: float
    connect_seconds: float
    kib: float
    kib_after: float
    slow_ended: int
    closed: int
    # What part of a core the clients' process took: near 1 it is the clients that are measured.
    clients_cpu: float


class StreamMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of the stream."""

    machine: Machine
    options: StreamOptions
    loads: list[StreamLoad]
    seconds: float
    # The share of all cores' time that others took meanwhile.
    others: float
    kind: Literal["stream"] = "stream"

    def load(self, target: str, deaf: int = 0) -> StreamLoad | None:
        """The load of a target with so many that never read."""
        return next((load for load in self.loads if (load.target, load.deaf) == (target, deaf)), None)
