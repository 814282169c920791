"""The tickers that can be asked for."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from http import HTTPStatus

from riskee.breaker import Breaker
from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.storage.tickers import TickerInfo, read_tickers
from serving.api.problems import ProblemError
from serving.database import Database

_SHOWN = 5
_REFRESH_SECONDS = 30.0
# A database that did not give them is not asked again for so long.
_REST_SECONDS = 1.0

_log = get_logger(__name__)


@dataclass
class Directory:
    """Knows the tickers from the database, looks again now and then, and keeps the last answer while it is away."""

    database: Database
    clock: Clock
    _infos: tuple[TickerInfo, ...] = ()
    _predicted: frozenset[str] = frozenset()
    _read_at: float = 0.0
    _refreshing: asyncio.Task[None] | None = None
    _breaker: Breaker = field(default_factory=lambda: Breaker(time.monotonic, limit=1, rest_seconds=_REST_SECONDS))

    async def infos(self) -> tuple[TickerInfo, ...]:
        """All tickers in order. Raises RetryableError where the database is away and was never read."""
        if not self._infos:
            await self._read_first()
        elif self._refreshing is None and self.clock.now().timestamp() - self._read_at >= _REFRESH_SECONDS:
            self._refreshing = asyncio.create_task(self._refresh())
        return self._infos

    async def _read_first(self) -> None:
        if not self._breaker.allows():
            raise RetryableError("the tickers could not be read from the database yet", "see `riskee status`")
        try:
            await self._read()
        except RetryableError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()

    async def _read(self) -> None:
        self._infos = tuple(await self.database.run(read_tickers))
        self._predicted = frozenset(info.ticker for info in self._infos if not info.is_index)
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

        Raises ProblemError (404) where it is not one that is predicted; it names near ones, for which it looks through
        all tickers for some milliseconds, unless it is told not to.
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
        known = list(self.known())
        found = get_close_matches(wanted, known, n=_SHOWN, cutoff=0.4) if near else []
        named = found or known[:_SHOWN]
        some = f"{'near it' if found else 'some'}: {', '.join(named)}; all of them: GET /tickers"
        return ProblemError(
            HTTPStatus.NOT_FOUND,
            "unknown_ticker",
            f"{wanted[:16]} is not predicted",
            some if named else "import history: riskee data import",
            near=named,
        )
