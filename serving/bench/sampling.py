"""Asking for the predictions of some quotes until they are there: to the millisecond of the poll, no better."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import psycopg

from riskee.errors import RetryableError
from riskee.storage import keys
from riskee.storage.cache import Cache
from serving.bench.plan import Plan, ticker_name, ticker_number

REDIS_POLL, DATABASE_POLL = 0.001, 0.005
# Few, for asking takes of the processors that are measured; and so many that two loads of ten seconds carry a p99.
SAMPLES = 75
"""Quotes that are asked for in a second, about; of Redis and of the database alike."""

_DAY_SECONDS = 86_400

Look = Callable[[Sequence[str]], Awaitable[Mapping[str, float]]]
"""For tickers, the newest `prediction_time` of each that has one."""


class Body(msgspec.Struct, frozen=True):
    """What all that is observed has in common."""

    ticker: str
    prediction_time: datetime


_bodies = msgspec.json.Decoder(Body)


@dataclass
class Sampler:
    """Asks for the predictions of some quotes until they are there."""

    look: Look
    poll: float
    samples: list[tuple[int, float]]
    found: list[tuple[int, float, float]] = field(default_factory=list)
    # By ticker the due times of which nothing was found yet: one that waits hides none that comes after it.
    waiting: dict[int, list[float]] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Quotes that were not found, asked for or not."""
        return len(self.samples) - len(self.found)

    async def run(self) -> None:
        """Ask until all are found."""
        queue, waiting = self.samples[::-1], self.waiting
        while queue or waiting:
            while queue and queue[-1][1] <= time.time():
                number, due = queue.pop()
                waiting.setdefault(number, []).append(due)
            if waiting:
                newest = await self._newest([ticker_name(number) for number in waiting])
                at = time.time()
                for name, moment in newest.items():
                    self._reach(ticker_number(name), moment, at)
            await asyncio.sleep(self.poll if waiting or not queue else queue[-1][1] - time.time())

    def _reach(self, number: int, moment: float, at: float) -> None:
        """At a time the prediction of a moment was there: that of the quotes due until then, whichever it is of."""
        reached = [due for due in self.waiting[number] if due <= moment + 1e-6]
        self.found += [(number, due, at) for due in reached]
        self.waiting[number] = self.waiting[number][len(reached) :]
        if not self.waiting[number]:
            del self.waiting[number]

    async def _newest(self, tickers: Sequence[str]) -> Mapping[str, float]:
        """What is there now; nothing where a server that is overrun did not answer in time, for it is asked again."""
        try:
            return await self.look(tickers)
        except RetryableError:
            return {}


def samples(plan: Plan, a_second: int) -> list[tuple[int, float]]:
    """The ticker's number and the due time of about so many quotes a second, in their order."""
    due = plan.due()
    step = max(int(plan.rate / a_second), 1) if plan.rate else max(plan.count // a_second, 1)
    # A step that shares no factor with the number of tickers comes round to all of them.
    while np.gcd(step, plan.tickers) > 1:
        step += 1
    return [(number % plan.tickers, float(due[number])) for number in range(0, plan.count, step)]


def in_cache(cache: Cache) -> Look:
    """What the cache has, read as the API reads it."""

    async def look(tickers: Sequence[str]) -> Mapping[str, float]:
        bodies = await cache.bodies(keys.PREDICTION, [{"ticker": ticker} for ticker in tickers])
        read = [_bodies.decode(body) for body in bodies if body is not None]
        return {body.ticker: body.prediction_time.timestamp() for body in read}

    return look


def in_database(connection: psycopg.AsyncConnection[Any], since: float) -> Look:
    """What has been committed since a moment."""

    async def look(tickers: Sequence[str]) -> Mapping[str, float]:
        cursor = await connection.execute(
            # One index probe a ticker, however many predictions it has by now, in the partitions of a day alone.
            "SELECT wanted.ticker, extract(epoch FROM latest.prediction_time)::float8"
            " FROM unnest(%s::text[]) AS wanted (ticker) CROSS JOIN LATERAL (SELECT prediction_time FROM predictions"
            " WHERE predictions.ticker = wanted.ticker AND prediction_time >= to_timestamp(%s)"
            " AND prediction_time < to_timestamp(%s) ORDER BY prediction_time DESC LIMIT 1) AS latest",
            (list(tickers), since - 1, since + _DAY_SECONDS),
        )
        return dict(await cursor.fetchall())

    return look
