"""record: what travels on the bus becomes rows. `python -m serving.consumers.record`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Engine

from riskee.messaging.envelope import Codec, Envelope, PayloadT
from riskee.messaging.messages import DeadLetter
from riskee.messaging.slots import ALL_SLOTS
from riskee.messaging.subjects import EXPLAINED, PREDICTION_UPDATED, QUOTE
from riskee.storage.bus import codec_of
from riskee.storage.inbox import Durable
from riskee.storage.recording import EXPLANATIONS, PREDICTIONS, QUARANTINE, QUOTES, Recording, record
from serving.consumers.consumption import Consumption
from serving.consumers.dead_letters import DEAD_PREFIX
from serving.consumers.observing import Observer
from serving.consumers.service import Service, run
from serving.database import Database

# A transaction costs some milliseconds however many rows it has: under backlog it takes as many as arrive meanwhile.
_LARGEST_BATCH = 4096
_MOST_PENDING = 2 * _LARGEST_BATCH
# At a thousand messages a second a transaction for each handful would take both cores from those who predict.
_LINGER_SECONDS = 0.05


def writer(engine: Engine, recording: Recording[PayloadT]) -> Callable[[Sequence[Envelope[PayloadT]]], Awaitable[None]]:
    """The handler that writes one kind of message."""

    async def write(batch: Sequence[Envelope[PayloadT]]) -> None:
        await asyncio.to_thread(record, engine, recording, batch)

    return write


def consumptions(engine: Engine) -> tuple[Consumption[Any], ...]:
    """All that is recorded."""
    return (
        Consumption(
            Durable("record-quotes", QUOTE.name, max_pending=_MOST_PENDING, also=(ALL_SLOTS,)),
            codec_of(QUOTE),
            writer(engine, QUOTES),
            max_batch=_LARGEST_BATCH,
            linger_seconds=_LINGER_SECONDS,
        ),
        Consumption(
            Durable("record-predictions", PREDICTION_UPDATED.name, max_pending=_MOST_PENDING),
            codec_of(PREDICTION_UPDATED),
            writer(engine, PREDICTIONS),
            max_batch=_LARGEST_BATCH,
            linger_seconds=_LINGER_SECONDS,
        ),
        Consumption(Durable("record-explanations", EXPLAINED.name), codec_of(EXPLAINED), writer(engine, EXPLANATIONS)),
        Consumption(Durable("record-dead", f"{DEAD_PREFIX}>"), Codec(DeadLetter), writer(engine, QUARANTINE)),
    )


async def main(service: Service) -> None:
    """Record until asked to stop."""
    database = Database.connect(service.settings.database)
    try:
        await service.until_done("database", database.ping)
        async with asyncio.TaskGroup() as group:
            observing = group.create_task(Observer(service, database).run())
            await service.consume(*consumptions(database.engine))
            observing.cancel()
    finally:
        database.close()


if __name__ == "__main__":
    run("record", main)
