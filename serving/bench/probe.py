"""The observing process: `python -m serving.bench.probe` reads a plan and notes when its effects are there.

- event: each message of a stream, when a consumer of it gets it, thus after JetStream has stored it; and when JetStream
  says that it stored it.
- websocket: each frame of the API's stream, subscribed to `*`.
- redis, database: of some quotes, asked for every POLL seconds from when they are due until their prediction is there.

All are counted from when the quote was due, which every prediction carries as its `prediction_time`.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import psycopg
import uvloop
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from websockets.asyncio.client import connect

from riskee.market.bars import Floats
from riskee.settings import Settings, load_settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from serving.bench.plan import Plan, ticker_number
from serving.bench.sampling import (
    DATABASE_POLL,
    REDIS_POLL,
    SAMPLES,
    Body,
    Sampler,
    in_cache,
    in_database,
    samples,
)

# When nothing has come for so long, what has come is read: sooner, reading would delay the stamps of what comes.
_QUIET_SECONDS = 0.25


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to observe: a plan, on which subject its events come, and whether the whole product or only its bus."""

    plan: Plan
    subject: str
    stream: str
    everything: bool
    # How long after the last quote to wait for what is missing.
    patience: float


class _Event(msgspec.Struct, frozen=True):
    payload: Body


class _Frame(msgspec.Struct, frozen=True):
    snapshot: bool = True
    prediction: Body | None = None


class Seen(msgspec.Struct, kw_only=True):
    """What was observed: by observation the ticker's number, the quote's due time, and when its effect was there."""

    event: list[tuple[int, float, float]]
    # As JetStream's own clock has it, which is this machine's.
    stored: list[float]
    websocket: list[tuple[int, float, float]]
    redis: list[tuple[int, float, float]]
    database: list[tuple[int, float, float]]
    unseen: dict[str, int]


_events = msgspec.json.Decoder(_Event)
_frames = msgspec.json.Decoder(_Frame)


@dataclass
class _Finish:
    """Knows whether of every ticker the last quote has had its effect."""

    last_due: Floats
    _reached: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._reached = np.zeros(len(self.last_due))

    def reach(self, found: Sequence[tuple[int, float, float]]) -> bool:
        for number, due, _ in found:
            self._reached[number] = max(self._reached[number], due)
        return bool((self._reached >= self.last_due - 1e-6).all())


def _last_due(plan: Plan) -> Floats:
    last = np.zeros(min(plan.tickers, plan.count))
    last[np.arange(plan.count) % plan.tickers] = plan.due()
    return last


@dataclass
class Watched:
    """What has arrived, kept as it came: reading it can wait until nothing is measured."""

    arrived: list[tuple[float, Any]] = field(default_factory=list)
    read: list[tuple[int, float, float]] = field(default_factory=list)

    def take(self, decode: Callable[[Any], Body | None]) -> list[tuple[int, float, float]]:
        """Read what has arrived since the last time."""
        fresh = []
        for at, data in self.arrived[len(self.read) :]:
            body = decode(data)
            fresh.append((ticker_number(body.ticker), body.prediction_time.timestamp(), at) if body else (0, 0.0, 0.0))
        self.read += fresh
        return fresh


def _event_body(message: Msg) -> Body:
    return _events.decode(message.data).payload


def _frame_body(frame: str | bytes) -> Body | None:
    found = _frames.decode(frame)
    return None if found.snapshot else found.prediction


async def _listen(bus: Bus, wanted: Wanted, watched: Watched) -> None:
    async def note(message: Msg) -> None:
        watched.arrived.append((time.time(), message))

    inbox = bus.client.new_inbox()
    await bus.client.subscribe(inbox, cb=note, pending_msgs_limit=-1, pending_bytes_limit=-1)
    await bus.jetstream.add_consumer(
        wanted.stream,
        ConsumerConfig(
            deliver_subject=inbox,
            filter_subject=wanted.subject,
            deliver_policy=DeliverPolicy.NEW,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=60,
        ),
    )


async def _stream(settings: Settings, watched: Watched, ready: asyncio.Event) -> None:
    url = f"ws://{settings.api.host}:{settings.api.port}/stream"
    async with connect(url, compression=None, max_queue=None, max_size=None) as socket:
        await socket.send('{"type":"subscribe","tickers":["*"]}')
        await socket.recv()
        ready.set()
        async for frame in socket:
            watched.arrived.append((time.time(), frame))


async def observe(settings: Settings, wanted: Wanted, ready: Callable[[], None]) -> Seen:
    """Observe until every ticker's last quote has had its effect everywhere, or patience is at an end."""
    plan = wanted.plan
    events, frames = Watched(), Watched()
    samplers: dict[str, Sampler] = {}
    async with AsyncExitStack() as stack:
        bus = await Bus.connect(settings.nats, "probe", timeout=10)
        stack.push_async_callback(bus.close)
        await _listen(bus, wanted, events)
        tasks: list[asyncio.Task[None]] = []
        if wanted.everything:
            cache = Cache.connect(settings.redis)
            stack.push_async_callback(cache.close)
            url = settings.database.url.get_secret_value().replace("+psycopg", "", 1)
            connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
            stack.push_async_callback(connection.close)
            samplers["redis"] = Sampler(in_cache(cache), REDIS_POLL, samples(plan, SAMPLES))
            look = in_database(connection, plan.start)
            samplers["database"] = Sampler(look, DATABASE_POLL, samples(plan, SAMPLES))
            subscribed = asyncio.Event()
            tasks = [asyncio.create_task(_stream(settings, frames, subscribed))]
            await asyncio.wait_for(subscribed.wait(), 20)
            await asyncio.sleep(0.3)  # the snapshots of all tickers
            tasks += [asyncio.create_task(sampler.run()) for sampler in samplers.values()]
        ready()
        await _finish(wanted, events, frames, tasks[1:])
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
    return _seen(events, frames, samplers)


async def _finish(wanted: Wanted, events: Watched, frames: Watched, sampling: list[asyncio.Task[None]]) -> None:
    plan = wanted.plan
    last = plan.start + (plan.count / plan.rate if plan.rate else 0)
    everywhere: list[tuple[_Finish, Watched, Callable[[Any], Body | None]]] = [
        (_Finish(_last_due(plan)), events, _event_body)
    ]
    if wanted.everything:
        everywhere.append((_Finish(_last_due(plan)), frames, _frame_body))
    came = 0
    while time.time() < last + wanted.patience:
        await asyncio.sleep(_QUIET_SECONDS)
        before, came = came, sum(len(watched.arrived) for _, watched, _ in everywhere)
        if came > before or time.time() < last or not all(task.done() for task in sampling):
            continue
        reached = [finish.reach(watched.take(decode)) for finish, watched, decode in everywhere]
        if all(reached):
            return


def _seen(events: Watched, frames: Watched, samplers: Mapping[str, Sampler]) -> Seen:
    events.take(_event_body)
    frames.take(_frame_body)
    found = {name: sampler.found for name, sampler in samplers.items()}
    return Seen(
        event=events.read,
        stored=[message.metadata.timestamp.timestamp() for _, message in events.arrived],
        websocket=[each for each in frames.read if each[2]],
        redis=found.get("redis", []),
        database=found.get("database", []),
        unseen={name: sampler.left for name, sampler in samplers.items()},
    )


def main() -> None:
    """Say `ready`, observe, and answer with what was seen."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Wanted)

    def ready() -> None:
        sys.stdout.buffer.write(b"ready\n")
        sys.stdout.buffer.flush()

    seen = uvloop.run(observe(load_settings(), wanted, ready))
    # Not sys.stdout, which PYTHONUNBUFFERED lets write only a part of what is long.
    with open(sys.stdout.fileno(), "wb", closefd=False) as answer:
        answer.write(msgspec.json.encode(seen))


if __name__ == "__main__":
    main()
