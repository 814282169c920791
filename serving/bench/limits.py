"""What the servers do when nothing of the product stands before them, and what its queries and answers take."""

import asyncio
import gc
import http.client
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
import numpy as np
from nats.js.api import StorageType, StreamConfig
from sqlalchemy import Connection, Engine, text

from riskee.clock import SystemClock
from riskee.settings import Settings
from riskee.storage import keys
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.predictions import latest_predictions
from serving.bench.plan import ticker_name
from serving.bench.wire import Sender, publication

_SUBJECT, _STREAM = "bench.limits", "BENCH_LIMITS"
_MESSAGES, _SINGLE = 40_000, 500
_READS, _PIPELINE = 20_000, 100
# As few as carry a 95th percentile.
_QUERIES = 200
_USERS, _REQUESTS = 10, 50
_BODY = b"x" * 300

_DAY = text("SELECT * FROM predictions WHERE ticker = :ticker AND prediction_time > now() - interval '24 hours'")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Rates a second, and the 95th percentile of milliseconds."""

    nats_messages: float
    nats_ms: float
    redis_operations: float
    redis_ms: float
    latest_ms: float
    all_latest_ms: float
    day_ms: float
    api_requests: float
    api_ms: float
    hit_rate: float


@dataclass(frozen=True)
class LimitBench:
    """Measures after a load, when every ticker has predictions."""

    settings: Settings
    engine: Engine
    tickers: int

    def run(self) -> Limits:
        # As the API's, whose collector does not look at what its start made: here, at what was measured before.
        gc.collect()
        gc.freeze()
        names = [ticker_name(number) for number in range(self.tickers)]
        nats_messages, nats_ms = asyncio.run(self._bus())
        redis_operations, redis_ms = asyncio.run(self._cache())
        api_requests, api_ms = self._api()
        return Limits(
            nats_messages=nats_messages,
            nats_ms=nats_ms,
            redis_operations=redis_operations,
            redis_ms=redis_ms,
            latest_ms=self._latest(lambda at: [names[at % self.tickers]], _QUERIES),
            all_latest_ms=self._latest(lambda _: names, _QUERIES),
            day_ms=self._day(lambda at: names[at % self.tickers], _QUERIES),
            api_requests=api_requests,
            api_ms=api_ms,
            hit_rate=self._hit_rate(),
        )

    async def _bus(self) -> tuple[float, float]:
        """Messages of 300 bytes into a stream on disk, each acknowledged: many in flight, then one by one."""
        bus = await Bus.connect(self.settings.nats, "bench", timeout=10)
        await bus.jetstream.add_stream(StreamConfig(name=_STREAM, subjects=[_SUBJECT], storage=StorageType.FILE))
        messages = [publication(_SUBJECT, str(number), _BODY) for number in range(_MESSAGES)]
        sender = Sender.connect(self.settings.nats.url.get_secret_value())
        began = time.perf_counter()
        sender.send_windowed(messages)
        sender.await_answers(_MESSAGES, 60)
        seconds = time.perf_counter() - began
        sender.close()
        stored = (await bus.jetstream.stream_info(_STREAM)).state.messages
        waits: list[float] = []
        for _ in range(_SINGLE):
            with _timed(waits):
                await bus.jetstream.publish(_SUBJECT, _BODY)
        await bus.jetstream.delete_stream(_STREAM)
        await bus.close()
        return round(stored / seconds), _p95(waits)

    async def _cache(self) -> tuple[float, float]:
        """Reads of predictions as the API makes them: many in a pipeline, then one by one."""
        cache = Cache.connect(self.settings.redis)
        parts = [{"ticker": ticker_name(number % self.tickers)} for number in range(_PIPELINE)]
        began = time.perf_counter()
        for _ in range(_READS // _PIPELINE):
            await cache.bodies(keys.PREDICTION, parts)
        rate = _READS / (time.perf_counter() - began)
        waits: list[float] = []
        for part in parts * 10:
            with _timed(waits):
                await cache.body(keys.PREDICTION, **part)
        await cache.close()
        return round(rate), _p95(waits)

    def _latest(self, tickers: Callable[[int], Sequence[str]], count: int) -> float:
        """As the API asks."""
        clock = SystemClock()
        return self._query(lambda connection, at: latest_predictions(connection, tickers(at), clock.now()), count)

    def _day(self, ticker: Callable[[int], str], count: int) -> float:
        return self._query(lambda connection, at: connection.execute(_DAY, {"ticker": ticker(at)}).all(), count)

    def _query(self, ask: Callable[[Connection, int], object], count: int) -> float:
        waits: list[float] = []
        with self.engine.connect() as connection:
            for at in range(count):
                with _timed(waits):
                    ask(connection, at)
        return _p95(waits)

    def _api(self) -> tuple[float, float]:
        """`GET /predict/{ticker}` by users that each wait for their answer."""
        began = time.perf_counter()
        with ThreadPoolExecutor(_USERS) as pool:
            waits = [wait for user in pool.map(self._user, range(_USERS)) for wait in user]
        return round(len(waits) / (time.perf_counter() - began)), _p95(waits)

    def _user(self, user: int) -> list[float]:
        waits: list[float] = []
        connection = http.client.HTTPConnection(self.settings.api.host, self.settings.api.port, timeout=20)
        for request in range(_REQUESTS):
            with _timed(waits):
                connection.request("GET", f"/predict/{ticker_name((user * _REQUESTS + request) % self.tickers)}")
                connection.getresponse().read()
        connection.close()
        return waits

    def _hit_rate(self) -> float:
        """The share of the API's reads of predictions that the cache could answer, by the API's own count."""
        connection = http.client.HTTPConnection(self.settings.api.host, self.settings.api.port, timeout=20)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        mark = f'riskee_cache_reads_total{{end="{{}}",key="{keys.PREDICTION.pattern}"}}'
        counts = [
            sum(float(line.split()[-1]) for line in lines if line.startswith(mark.replace("{}", end, 1)))
            for end in ("hit", "miss")
        ]
        return round(counts[0] / max(sum(counts), 1), 4)


@contextmanager
def _timed(waits: list[float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    waits.append((time.perf_counter() - began) * 1000)


def _p95(milliseconds: list[float]) -> float:
    return round(float(np.percentile(milliseconds, 95)), 2)
