"""What every feed is, and what it gives."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from riskee.market.quotes import Tick
from riskee.messaging.messages import MarketStatus
from serving.consumers.service import Service
from serving.patience import StoppedError, pause


@dataclass(frozen=True)
class Unplayable:
    """A bar or row that gives no quotes, as it was read, and why."""

    body: bytes
    reason: str


@dataclass(frozen=True)
class Wave:
    """What a feed says at one moment. `known` are the tickers that may be in it."""

    feed: str
    known: frozenset[str]
    ticks: Sequence[Tick] = ()
    unplayable: Sequence[Unplayable] = ()
    status: MarketStatus | None = None


class Feed(Protocol):
    """A source of quotes.

    The next wave is asked for when the last one is on the bus, so a feed may then note how far it has come.
    """

    @property
    def max_age(self) -> timedelta | None:
        """How old a quote may be on arrival; None where any age will do."""
        ...

    @property
    def max_lag(self) -> timedelta | None:
        """How far a quote may be behind the feed's newest; None where it is as the settings say."""
        ...

    def waves(self) -> AsyncIterator[Wave]: ...


async def rest(service: Service, seconds: float) -> None:
    """Sleep. Raises StoppedError when the service is asked to stop meanwhile."""
    await pause(seconds, service.stopping)
    if service.stopping.is_set():
        raise StoppedError
