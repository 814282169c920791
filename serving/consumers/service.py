"""A consumer process: health and metrics, the bus, SIGTERM, the exit code."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import uvloop

from riskee.clock import Clock, SystemClock
from riskee.errors import FatalError, RiskeeError
from riskee.logs import configure_logs, get_logger
from riskee.settings import MetricsSettings, Settings, load_settings
from riskee.storage.bus import Bus
from riskee.tracing import OFF, Tracer, open_tracer
from serving.consumers.consumption import Consumption
from serving.consumers.loop import ConsumerLoop
from serving.ending import exit_when_blocked, exit_within
from serving.health import Health, HealthServer
from serving.patience import StoppedError, finish, until_done

ResultT = TypeVar("ResultT")

# From the end of the work to the end of the process: closing connections, joining threads.
_LAST_SECONDS = 2.0

_log = get_logger(__name__)


@dataclass(frozen=True)
class Service:
    """What every consumer has."""

    settings: Settings
    clock: Clock
    health: Health
    bus: Bus
    stopping: asyncio.Event
    tracer: Tracer = OFF

    @property
    def name(self) -> str:
        return self.health.service

    async def consume(self, *consumptions: Consumption[Any], ending: asyncio.Event | None = None) -> None:
        """Run the consumptions side by side until asked to stop, or until the event that is given is set."""
        async with asyncio.TaskGroup() as group:
            for consumption in consumptions:
                loop = ConsumerLoop(
                    self.bus,
                    consumption,
                    health=self.health,
                    clock=self.clock,
                    stopping=ending or self.stopping,
                    stalled_after_seconds=self.settings.consumers.stalled_after_seconds,
                )
                group.create_task(loop.run())
        for consumption in consumptions:
            self.health.forget(consumption.durable.name)

    async def until_done(self, dependency: str, action: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Repeat an action while it fails retryably. Raises StoppedError when asked to stop meanwhile."""
        return await until_done(action, dependency=dependency, health=self.health, stopping=self.stopping)


Main = Callable[[Service], Coroutine[Any, Any, None]]


async def _watch_bus(bus: Bus, health: Health) -> None:
    """Say whether the bus is there. Raises FatalError where the connection will never come back."""
    while not bus.closed:
        if bus.connected:
            health.up("nats")
        else:
            health.down("nats", "connecting again")
        await asyncio.sleep(1.0)
    raise FatalError("the connection to the bus was closed for good", "the process ends, to be started anew")


async def _connect(settings: Settings, health: Health, stopping: asyncio.Event) -> Bus:
    async def attempt() -> Bus:
        return await Bus.connect(settings.nats, health.service, timeout=5.0)

    return await until_done(attempt, dependency="nats", health=health, stopping=stopping)


async def serve(
    name: str,
    settings: Settings,
    main: Main,
    *,
    clock: Clock,
    stopping: asyncio.Event,
) -> None:
    """Run a consumer's `main` between connecting and disconnecting. Raises FatalError where there is no way on."""
    health = Health(name)
    server = HealthServer(health)
    await server.start(settings.metrics.host, _port(settings.metrics, name))
    tracer = open_tracer(settings.tracing, name, clock)
    try:
        bus = await _connect(settings, health, stopping)
        service = Service(settings, clock, health, bus, stopping, tracer)
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_watch_bus(bus, health))
                await service.until_done("streams", bus.ensure_streams)
                await finish(main(service), stopping, settings.consumers.drain_seconds)
                watch.cancel()
        finally:
            await bus.close()
    except* StoppedError:
        _log.info("stopped while waiting")
    finally:
        await tracer.close()
        await server.stop()


def _port(metrics: MetricsSettings, name: str) -> int:
    return int(getattr(metrics, f"{name}_port"))


def run(name: str, main: Main) -> None:
    """The process of a consumer: returns after SIGTERM or SIGINT, exits with 1 where there is no way on."""

    async def process(settings: Settings) -> None:
        spare_the_collector()
        stopping = asyncio.Event()

        def stop() -> None:
            stopping.set()
            exit_within(settings.consumers.drain_seconds + _LAST_SECONDS, 0)

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        watchdog = asyncio.create_task(exit_when_blocked(settings.consumers.stalled_after_seconds))
        try:
            await serve(name, settings, main, clock=SystemClock(), stopping=stopping)
        except BaseException:
            exit_within(_LAST_SECONDS, 1)
            raise
        finally:
            watchdog.cancel()
        _log.info("stopped")

    try:
        settings = load_settings()
        configure_logs(name, settings.log_level)
        uvloop.run(process(settings))
    except* RiskeeError as group:
        configure_logs(name, "INFO")
        for error in _leaves(group):
            _log.critical("cannot go on", error=str(error))
        sys.exit(1)


def spare_the_collector() -> None:
    """Collect cycles seldom, and never among what the imports made.

    A wave has tens of thousands of objects that their reference counts free; looking at them for cycles again and again
    takes a fifth of its time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
