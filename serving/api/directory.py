"""The tickers that can be asked for."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from http import HTTPStatus
from itertools import islice

from riskee.breaker import Breaker
from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.storage.tickers import TickerInfo, read_tickers
from serving.api.bounded import PATIENT_SECONDS, Bounded
from serving.api.problems import ProblemError
from serving.database import Database

_SHOWN = 5
_REFRESH_SECONDS = 30.0
# A database that did not give them is not asked again for so long.
_REST_SECONDS = 1.0
# No ticker is longer.
_LONGEST = 16

_log = get_logger(__name__)


@dataclass
class Directory:
    """Knows the tickers from the database, looks again now and then, and keeps the last answer while it is away."""

    database: Database
    clock: Clock
    _infos: tuple[TickerInfo, ...] = ()
    _predicted: frozenset[str] = frozenset()
    # Those that are predicted by their first letter, in order.
    _by_letter: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _read_at: float = 0.0
    _reading: asyncio.Task[None] | None = None
    _refreshing: asyncio.Task[None] | None = None
    _breaker: Breaker = field(default_factory=lambda: Breaker(time.monotonic, limit=1, rest_seconds=_REST_SECONDS))

    def __post_init__(self) -> None:
        self._bounded = Bounded(self.database)

    async def infos(self) -> tuple[TickerInfo, ...]:
        """All tickers in order. Raises RetryableError where the database is away and was never read."""
        if not self._infos:
            await self._read_first()
        elif self._refreshing is None and self.clock.now().timestamp() - self._read_at >= _REFRESH_SECONDS:
            self._refreshing = asyncio.create_task(self._refresh())
        return self._infos

    async def _read_first(self) -> None:
        """Read, once for all who wait."""
        if self._reading is None or self._reading.done():
            if not self._breaker.allows():
                raise RetryableError("the tickers could not be read from the database yet", "see `riskee status`")
            self._reading = asyncio.create_task(self._read())
        try:
            await asyncio.shield(self._reading)
        except RetryableError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()

    async def _read(self) -> None:
        self._infos = tuple(await self._bounded.run(read_tickers, PATIENT_SECONDS))
        self._predicted = frozenset(self.known())
        by_letter: defaultdict[str, list[str]] = defaultdict(list)
        for ticker in self.known():
            by_letter[ticker[0]].append(ticker)
        self._by_letter = by_letter
        self._read_at = self.clock.now().timestamp()

    async def _refresh(self) -> None:
        """Read again while the last answer still serves."""
        self._read_at = self.clock.now().timestamp()
        try:
            await self._read()
        except RetryableError as error:
            _log.warning("the tickers stay as they were read last", cause=str(error))
        finally:
            self._refreshing = None

    def known(self) -> Iterator[str]:
        """The tickers that are predicted, as they were read last."""
        return (info.ticker for info in self._infos if not info.is_index)

    async def predicted(self, ticker: str, *, near: bool = True) -> str:
        """The ticker in its proper form.

        Raises ProblemError (404) where it is not one that is predicted; it names near ones that begin alike, unless it
        is told not to look for them: among 5,000 that takes a millisecond.
        """
        wanted = ticker.strip().upper()
        try:
            await self.infos()
        except RetryableError:
            # Without the list the cache may still know it.
            return wanted
        if wanted in self._predicted:
            return wanted
        raise self._unknown(wanted, near=near)

    def _unknown(self, wanted: str, *, near: bool) -> ProblemError:
        alike = self._by_letter.get(wanted[:1], ()) if near and len(wanted) <= _LONGEST else ()
        found = get_close_matches(wanted, alike, n=_SHOWN, cutoff=0.4)
        named = found or list(islice(self.known(), _SHOWN))
        some = f"{'near it' if found else 'some'}: {', '.join(named)}; all of them: GET /tickers"
        return ProblemError(
            HTTPStatus.NOT_FOUND,
            "unknown_ticker",
            f"{wanted[:_LONGEST]} is not predicted",
            some if named else "import history: riskee data import",
            near=named,
        )
