"""record: what travels on the bus becomes rows. `python -m serving.consumers.record`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Engine

from riskee.messaging.envelope import Codec, Envelope, PayloadT
from riskee.messaging.messages import DeadLetter
from riskee.messaging.slots import ALL_SLOTS
from riskee.messaging.subjects import EXPLAINED, PREDICTION_UPDATED, QUOTE
from riskee.storage.bus import codec_of
from riskee.storage.inbox import Durable
from riskee.storage.recording import EXPLANATIONS, PREDICTIONS, QUARANTINE, QUOTES, Recording, record
from riskee.storage.unrecorded import RECORDER
from riskee.tracing import Tick, Tracer
from riskee.tracing.hops import RECORD_PREDICTIONS, RECORD_QUOTES, Hop
from serving.consumers.consumption import Consumption
from serving.consumers.dead_letters import DEAD_PREFIX
from serving.consumers.observing import Observer
from serving.consumers.service import Service, run
from serving.consumers.singly import Singly
from serving.database import Database

# A transaction costs some milliseconds however many rows it has: under backlog it takes as many as arrive meanwhile.
_LARGEST_BATCH = 4096
_MOST_PENDING = 2 * _LARGEST_BATCH
# At a thousand messages a second a transaction for each handful would take both cores from those who predict.
_LINGER_SECONDS = 0.05
# Quotes and predictions are gathered together: written side by side they would take both cores at once, some
# milliseconds each time. Beyond this a server hangs, and what it takes no longer for one kind it may for another.
_PATIENCE_SECONDS = 1.0


def writer(
    engine: Engine, singly: Singly, recording: Recording[PayloadT], *, alone: bool
) -> Callable[[Sequence[Envelope[PayloadT]]], Awaitable[None]]:
    """The handler that writes one kind of message."""

    async def write(batch: Sequence[Envelope[PayloadT]]) -> None:
        async with singly.turn():
            await asyncio.to_thread(record, engine, recording, batch, alone=alone)

    return write


def traced(
    write: Callable[[Sequence[Envelope[Any]]], Awaitable[None]], tracer: Tracer, hop: Hop
) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """A handler of quotes or predictions that tells what it does of them."""

    async def write_traced(batch: Sequence[Envelope[Any]]) -> None:
        with tracer.hop(hop, _of_ticks(batch)):
            await write(batch)

    return write_traced


def _of_ticks(batch: Sequence[Envelope[Any]]) -> Iterator[Tick]:
    """What ticks have caused; of the rest, the answers to jobs, no tick's trace knows."""
    return (envelope.payload for envelope in batch if envelope.correlation_id == envelope.payload.quote_id)


def consumptions(engine: Engine, tracer: Tracer, *, shared: bool = False) -> tuple[Consumption[Any], ...]:
    """All that is recorded, by this process alone or by several that share it."""
    write = partial(writer, engine, Singly(_PATIENCE_SECONDS), alone=not shared)
    return (
        Consumption(
            Durable(RECORDER, QUOTE.name, max_pending=_MOST_PENDING, also=(ALL_SLOTS,), shared=shared),
            codec_of(QUOTE),
            traced(write(QUOTES), tracer, RECORD_QUOTES),
            max_batch=_LARGEST_BATCH,
            linger_seconds=_LINGER_SECONDS,
        ),
        Consumption(
            Durable("record-predictions", PREDICTION_UPDATED.name, max_pending=_MOST_PENDING, shared=shared),
            codec_of(PREDICTION_UPDATED),
            traced(write(PREDICTIONS), tracer, RECORD_PREDICTIONS),
            max_batch=_LARGEST_BATCH,
            linger_seconds=_LINGER_SECONDS,
        ),
        Consumption(
            Durable("record-explanations", EXPLAINED.name, shared=shared), codec_of(EXPLAINED), write(EXPLANATIONS)
        ),
        Consumption(Durable("record-dead", f"{DEAD_PREFIX}>", shared=shared), Codec(DeadLetter), write(QUARANTINE)),
    )


async def main(service: Service) -> None:
    """Record until asked to stop."""
    database = Database.connect(service.settings.database)
    try:
        await service.until_done("database", database.ping)
        async with asyncio.TaskGroup() as group:
            observing = group.create_task(Observer(service, database).run())
            shared = service.settings.consumers.shared
            await service.consume(*consumptions(database.engine, service.tracer, shared=shared))
            observing.cancel()
    finally:
        database.close()


if __name__ == "__main__":
    run("record", main)
