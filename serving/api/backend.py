"""The API's composition root: what its routes work with."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import msgspec

from riskee.clock import Clock, SystemClock
from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.keys import CACHE_STATS
from riskee.telemetry import CACHE_READS, DEPENDENCY_UP
from riskee.tracing import OFF, Tracer
from serving.api.asking import SOURCE, Asker
from serving.api.background import Background
from serving.api.directory import Directory
from serving.api.hearing import Hearing
from serving.api.hub import Hub
from serving.api.job_store import JobStore
from serving.api.jobs import Jobs
from serving.api.prepared import Prepared
from serving.api.problems import without_particulars
from serving.api.reading import Reader
from serving.api.records import Records
from serving.api.standing import Standings
from serving.api.streaming.deliveries import deliveries_of
from serving.api.streaming.snapshots import Snapshots
from serving.api.streaming.streams import Streams
from serving.api.streaming.subscribing import Subscribing
from serving.database import Database

_CHECK_SECONDS = 2.0
_STATS_SECONDS = 10.0
_TURN_SECONDS = 0.25
_PROBE_SECONDS = 1.0
# As often as Prometheus reads what is seen.
_LOOK_SECONDS = 15.0

_log = get_logger(__name__)


@dataclass(frozen=True)
class Backend:
    """Everything that a request may need."""

    settings: Settings
    clock: Clock
    cache: Cache
    database: Database
    directory: Directory
    reader: Reader
    prepared: Prepared
    records: Records
    jobs: Jobs
    hub: Hub
    streams: Streams
    subscribing: Subscribing
    asker: Asker
    standings: Standings

    async def check(self) -> dict[str, str]:
        """Each dependency: `ok`, or what is the matter."""
        checks: dict[str, Callable[[], Awaitable[None]]] = {
            "database": self.database.ping,
            "redis": self.cache.ping,
            "nats": self._check_bus,
        }
        return dict(zip(checks, await asyncio.gather(*map(_trouble, checks, checks.values())), strict=True))

    async def _check_bus(self) -> None:
        if self.asker.bus is None or not self.asker.bus.connected:
            raise RetryableError("the message bus does not answer", "see `riskee status`")

    async def connect_bus(self) -> None:
        """Attach to the bus as soon as it is there, and anew where the connection was closed for good.

        Meanwhile everything that needs no bus is served.
        """
        while True:
            try:
                bus = await self._attached_bus()
            except RetryableError as error:
                _log.warning("going on without the bus", cause=str(error))
                await asyncio.sleep(_CHECK_SECONDS)
                continue
            _log.info("listening to the bus")
            while not bus.closed:
                await asyncio.sleep(_TURN_SECONDS)
            _log.warning("the connection to the bus was closed and is made anew")

    async def _attached_bus(self) -> Bus:
        """The bus, to which all listen that should. Raises RetryableError where it went away meanwhile."""
        bus = await Bus.connect(self.settings.nats, SOURCE)
        try:
            await Hearing(self.standings, self.hub).attach(bus)
            await self.asker.attach(bus)
        except RetryableError:
            # Nobody may hear twice, of this one and the next.
            await bus.close()
            raise
        return bus

    async def watch_standings(self) -> None:
        """Notice where predict falls silent."""
        while True:
            self.hub.notify(self.standings.turn())
            await asyncio.sleep(_TURN_SECONDS)

    async def watch_cache(self) -> None:
        """Ask a cache that is away whether it is back, so that no request waits for one that is deaf."""
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            if self.cache.away:
                with suppress(RetryableError):
                    await self.cache.ping()

    async def watch_dependencies(self) -> None:
        """Look at each now and then: where nobody asks for /health/ready, its metric would stay as it was."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.check()

    async def publish_stats(self) -> None:
        """Keep the cache's hits and misses under `stats:cache:api`."""
        while True:
            counts = {
                f"{sample.labels['key']} {sample.labels['end']}": sample.value
                for metric in CACHE_READS.collect()
                for sample in metric.samples
                if sample.name.endswith("_total")
            }
            with suppress(RetryableError):  # a lost statistic is worth no word; /health/ready says what is away
                await self.cache.set_text(CACHE_STATS, msgspec.json.encode(counts).decode(), name=SOURCE)
            await asyncio.sleep(_STATS_SECONDS)


async def _trouble(name: str, check: Callable[[], Awaitable[None]]) -> str:
    try:
        await asyncio.wait_for(check(), _CHECK_SECONDS)
    except TimeoutError:
        trouble = f"no answer within {_CHECK_SECONDS} s"
    except RetryableError as error:
        # Everybody may ask: the particulars are for the log.
        trouble = without_particulars(error.cause)
        _log.warning("a dependency is away", name=name, cause=str(error))
    else:
        trouble = "ok"
    DEPENDENCY_UP.labels(name).set(trouble == "ok")
    return trouble


def _made(settings: Settings, clock: Clock, tracer: Tracer) -> Backend:
    """All of it, put together; nothing of it is begun."""
    database = Database.connect(settings.database)
    cache = Cache.connect(settings.redis, rest_seconds=math.inf)
    directory = Directory(database, clock)
    standings = Standings(clock, time.monotonic, directory.known)
    hub = Hub(standings, settings.stream.log_updates, deliveries=deliveries_of(tracer, clock))
    asker = Asker(hub, clock)
    reader = Reader(cache, database, clock, settings.feed.stale_after_seconds, standings, settings.llm.model)
    most_tickers = settings.stream.tickers_per_connection
    return Backend(
        settings=settings,
        clock=clock,
        cache=cache,
        database=database,
        directory=directory,
        reader=reader,
        prepared=Prepared(reader),
        records=Records(database, time.monotonic),
        jobs=Jobs(asker, JobStore(cache), clock, settings.api.job_seconds),
        hub=hub,
        streams=Streams(settings.stream, hub, clock, time.monotonic),
        subscribing=Subscribing(hub, directory, Snapshots(hub, reader, clock), standings, most_tickers),
        asker=asker,
        standings=standings,
    )


@asynccontextmanager
async def open_backend(
    settings: Settings, background: Background, clock: Clock | None = None, tracer: Tracer = OFF
) -> AsyncIterator[Backend]:
    """The backend, connected in the background, for as long as the API runs."""
    backend = _made(settings, clock or SystemClock(), tracer)
    background.start("bus", backend.connect_bus())
    background.start("statistics", backend.publish_stats())
    background.start("cache", backend.watch_cache())
    background.start("dependencies", backend.watch_dependencies())
    background.start("standings", backend.watch_standings())
    background.start("streams", backend.streams.watch())
    try:
        yield backend
    finally:
        await backend.jobs.close()
        await background.stop()
        if backend.asker.bus is not None:
            await backend.asker.bus.close()
        await backend.cache.close()
        backend.database.close()
