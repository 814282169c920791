"""What is on the bus and in the database, read past the services under test."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from riskee.messaging.messages import Prediction
from riskee.messaging.streams import stream_of
from riskee.storage import keys
from riskee.storage.bus import Bus
from riskee.storage.tables import predictions
from tests.faults.market import TICKERS

# The streams whose messages the services under test turn into others, or into rows.
WATCHED = ("MARKET_DATA", "ROUTING", "PREDICTIONS", "DEAD_LETTER")
# A server that is away must not hold up the watch of its coming back; one that must be there may be slow for a moment.
_IMPATIENCE_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0
_AWAY = (nats.errors.Error, JetStreamError, TimeoutError, OSError)


LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Moment(NamedTuple):
    """A point of a run: by the load's clock, and by the time of the last data that was told before it."""

    clock: datetime
    data: datetime


@dataclass(frozen=True)
class Observer:
    """Reads by connections of its own. What cannot be read because a server is away is simply not there yet."""

    bus: Bus
    engine: Engine
    cache: Redis

    def _jetstream(self, seconds: float = _PATIENCE_SECONDS) -> JetStreamContext:
        return self.bus.client.jetstream(timeout=seconds)

    async def ends(self, otherwise: Mapping[str, int] | None = None) -> Mapping[str, int]:
        """The last sequence of each watched stream; where the bus is away what is given instead."""
        if otherwise is None:
            return await self._ends(_PATIENCE_SECONDS)
        try:
            return await self._ends(_IMPATIENCE_SECONDS)
        except _AWAY:
            return otherwise

    async def _ends(self, seconds: float) -> dict[str, int]:
        infos = {name: await self._jetstream(seconds).stream_info(name) for name in WATCHED}
        return {name: info.state.last_seq for name, info in infos.items()}

    async def settled(self, ends: Mapping[str, int]) -> bool:
        """Whether every consumer has acknowledged all up to these sequences."""
        return not await self.unsettled(ends)

    async def unsettled(self, ends: Mapping[str, int]) -> list[str]:
        """The consumers that have not, with what they still have to do."""
        try:
            listed = {name: await self._jetstream(_IMPATIENCE_SECONDS).consumers_info(name) for name in ends}
        except _AWAY as error:
            return [f"the bus is away: {error!r}"]
        return [
            f"{consumer.name}: {consumer.num_pending} to deliver, {consumer.num_ack_pending} unacknowledged"
            for name, consumers in listed.items()
            for consumer in consumers
            if (consumer.num_pending or consumer.num_ack_pending) and _floor(consumer) < ends[name]
        ]

    async def drained(self, seconds: float) -> None:
        """Wait until no consumer has anything left. Fails the test where that takes too long."""
        ends = dict.fromkeys(WATCHED, 2**62)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        calm = 0
        # Handling one stream may put messages on another: all must be empty twice.
        while calm < 2:
            left = await self.unsettled(ends)
            calm = 0 if left else calm + 1
            assert loop.time() < deadline, f"not drained in {seconds} s: {left}"
            await asyncio.sleep(0.25)

    async def messages(self, subject: str) -> list[bytes]:
        """Every message of a subject, which may hold wildcards, in the order of the stream."""
        stream = stream_of(subject).name
        info = await self._jetstream().stream_info(stream, subjects_filter=subject)
        count = sum((info.state.subjects or {}).values())
        subscription = await self.bus.jetstream.subscribe(subject, stream=stream, ordered_consumer=True)
        try:
            return [(await subscription.next_msg(timeout=_PATIENCE_SECONDS)).data for _ in range(count)]
        finally:
            # The server would keep it for seconds, and count what it has not read.
            await self._jetstream().delete_consumer(stream, (await subscription.consumer_info()).name)
            await subscription.unsubscribe()

    def rows(self, statement: Select[Any]) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(statement))

    async def predicted_since(self, moment: Moment) -> bool:
        """Whether database and cache have for every ticker a prediction from a quote that came after this moment."""
        return await self._stored_since(moment) and await self._cached_since(moment)

    async def _stored_since(self, moment: Moment) -> bool:
        stored = predictions.c
        # Both times, for the load's clock may have been set back since.
        after = (stored.prediction_time > moment.clock, stored.data_time > moment.data)
        try:
            rows = await asyncio.to_thread(self.rows, select(func.count(stored.ticker.distinct())).where(*after))
        except SQLAlchemyError:
            return False
        return int(rows[0][0]) == len(TICKERS)

    async def _cached_since(self, moment: Moment) -> bool:
        try:
            cached = await self.cached()
        except (RedisError, OSError):
            return False
        return len(cached) == len(TICKERS) and all(
            each.prediction_time > moment.clock and each.data_time > moment.data for each in cached.values()
        )

    async def cached(self) -> dict[str, Prediction]:
        """The predictions that the cache shows, by ticker."""
        async with self.cache.pipeline(transaction=False) as pipeline:
            for ticker in TICKERS:
                pipeline.hget(keys.PREDICTION.of(ticker=ticker), keys.BODY)
            bodies = await pipeline.execute()
        decoded = [msgspec.json.decode(body, type=Prediction) for body in bodies if body is not None]
        return {prediction.ticker: prediction for prediction in decoded}


def _floor(consumer: Any) -> int:
    return int(consumer.ack_floor.stream_seq) if consumer.ack_floor else 0
