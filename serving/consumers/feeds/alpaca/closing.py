"""The vendor's own daily bars of a session that is over: they make its final quotes."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from riskee.market.running_bars import RunningBars, Snapshot
from riskee.market.sessions import Session
from serving.consumers.feeds.alpaca.history import Bar, History
from serving.patience import StoppedError

# A daily bar bears its midnight in New York: before noon of its day in UTC.
_NOON = time(12, tzinfo=UTC)
# So long they are waited for; then our own bars are the final ones until these come.
_PATIENCE = timedelta(minutes=5)


@dataclass
class Closing:
    """Fetches the bars beside all else: an API that is away must not hold up the next session. Needs a running loop."""

    history: History
    session: Session
    tickers: Sequence[str]
    began: datetime
    _fetching: asyncio.Task[dict[str, Bar]] = field(init=False)
    _taken: bool = False

    def __post_init__(self) -> None:
        self._fetching = asyncio.create_task(self._fetch())

    def is_due(self, now: datetime) -> bool:
        """Whether the session's final quotes are to be told now, with the vendor's bars or without."""
        return self._fetching.done() or now - self.began >= _PATIENCE

    def take_into(self, bars: RunningBars) -> bool:
        """Put the vendor's bars in place of ours; False where they are not here yet. Raises what fetching raised."""
        if not self._fetching.done():
            return False
        if not self._taken:
            self._taken = True
            for ticker, bar in self._fetching.result().items():
                bars.take_snapshot(ticker, self._snapshot(bar))
        return True

    async def give_up(self) -> None:
        """Fetch no longer."""
        self._fetching.cancel()
        with suppress(asyncio.CancelledError, StoppedError):
            await self._fetching

    async def _fetch(self) -> dict[str, Bar]:
        day = self.session.session_date
        first, last = datetime.combine(day, time(), UTC), datetime.combine(day, _NOON)
        pages = self.history.bars(self.tickers, "1Day", first, last)
        return {ticker: bar async for page in pages for ticker, found in page.items() for bar in found}

    def _snapshot(self, bar: Bar) -> Snapshot:
        return Snapshot(
            time=self.session.closes_at,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
        )
