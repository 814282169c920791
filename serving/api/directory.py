"""The tickers that can be asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from http import HTTPStatus

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.storage.tickers import TickerInfo, read_tickers
from serving.api.problems import ProblemError
from serving.database import Database

_SHOWN = 5
_REFRESH_SECONDS = 30.0


@dataclass
class Directory:
    """Knows the tickers from the database, looks again now and then, and keeps the last answer while it is away."""

    database: Database
    clock: Clock
    _infos: tuple[TickerInfo, ...] = ()
    _read_at: float = 0.0

    async def infos(self) -> tuple[TickerInfo, ...]:
        """All tickers in order. Raises RetryableError where the database is away and was never read."""
        now = self.clock.now().timestamp()
        if now - self._read_at < _REFRESH_SECONDS and self._infos:
            return self._infos
        try:
            self._infos = tuple(await self.database.run(read_tickers))
        except RetryableError:
            if not self._infos:
                raise
        self._read_at = now
        return self._infos

    def known(self) -> Iterator[str]:
        """The tickers that are predicted, as they were read last."""
        return (info.ticker for info in self._infos if not info.is_index)

    async def predicted(self, ticker: str) -> str:
        """The ticker in its proper form.

        Raises ProblemError (404), naming near ones, where it is not one that is predicted.
        """
        wanted = ticker.strip().upper()
        try:
            known = [info.ticker for info in await self.infos() if not info.is_index]
        except RetryableError:
            # Without the list the cache may still know it.
            return wanted
        if wanted in known:
            return wanted
        near = get_close_matches(wanted, known, n=_SHOWN, cutoff=0.4) or known[:_SHOWN]
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "unknown_ticker",
            f"{wanted[:16]} is not predicted",
            f"near it: {', '.join(near)}; all of them: GET /tickers" if near else "import history: riskee data import",
            near=near,
        )
