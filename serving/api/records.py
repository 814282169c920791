"""The record of what became of the predictions, as the API tells it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection

from riskee.model.live_calibration import CalibrationBin, calibration
from riskee.model.live_record import ALL, Standing, coverage, has_marts, standings
from riskee.model.uncertainty import Estimate
from serving.database import Database

# Outcomes come once a session; to count all of them takes seconds where there are millions.
_REMEMBERED_SECONDS = 60.0


class StandingAnswer(msgspec.Struct, frozen=True):
    """Scored predictions of one model, or of all (`*`): hits beside chance, and the share of outcomes within the
    interval of 80 %, with its own interval of 95 %, or alone where there are fewer than two sessions."""

    standing: Standing
    coverage_80: Estimate | float


class TrackRecordAnswer(msgspec.Struct, frozen=True):
    """Of a ticker, or of all (`*`): first with all models, then with each. Empty while none is known or counted.

    Every interval counts sessions, for predictions of one session share the market's day.
    """

    ticker: str
    models: tuple[StandingAnswer, ...]
    calibration: tuple[CalibrationBin, ...]


@dataclass
class Records:
    """Reads a ticker's record each time, that of all tickers once a minute."""

    database: Database
    monotonic: Callable[[], float]
    _all: TrackRecordAnswer | None = None
    _read_at: float = 0.0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, ticker: str) -> TrackRecordAnswer:
        """Raises RetryableError where the database is away."""
        return await self.database.run(lambda connection: _read(connection, ticker))

    async def of_all(self) -> TrackRecordAnswer:
        """Raises as `of`."""
        async with self._reading:
            if self._all is None or self.monotonic() - self._read_at >= _REMEMBERED_SECONDS:
                self._all = await self.of(ALL)
                self._read_at = self.monotonic()
            return self._all


def _read(connection: Connection, ticker: str) -> TrackRecordAnswer:
    if not has_marts(connection):
        return TrackRecordAnswer(ticker, (), ())
    found = standings(connection, ticker)
    models = tuple(StandingAnswer(each, coverage(connection, each)) for each in found)
    return TrackRecordAnswer(ticker, models, tuple(calibration(connection, ticker)))
