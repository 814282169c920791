"""record: what travels on the bus becomes rows. `python -m serving.consumers.record`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from riskee.messaging.envelope import Codec, Envelope, PayloadT
from riskee.messaging.messages import DeadLetter
from riskee.messaging.subjects import EXPLAINED, PREDICTION_UPDATED, QUOTE
from riskee.storage.bus import codec_of
from riskee.storage.database import database_errors, make_async_engine
from riskee.storage.inbox import Durable
from riskee.storage.recording import EXPLANATIONS, PREDICTIONS, QUARANTINE, QUOTES, Recording, record
from serving.consumers.loop import DEAD_PREFIX, Consumption
from serving.consumers.service import Service, run


def writer(
    engine: AsyncEngine, recording: Recording[PayloadT]
) -> Callable[[Sequence[Envelope[PayloadT]]], Awaitable[None]]:
    """The handler that writes one kind of message."""

    async def write(batch: Sequence[Envelope[PayloadT]]) -> None:
        await record(engine, recording, batch)

    return write


def consumptions(engine: AsyncEngine) -> tuple[Consumption[Any], ...]:
    """All that is recorded."""
    return (
        Consumption(Durable("record-quotes", QUOTE.name), codec_of(QUOTE), writer(engine, QUOTES)),
        Consumption(
            Durable("record-predictions", PREDICTION_UPDATED.name),
            codec_of(PREDICTION_UPDATED),
            writer(engine, PREDICTIONS),
        ),
        Consumption(Durable("record-explanations", EXPLAINED.name), codec_of(EXPLAINED), writer(engine, EXPLANATIONS)),
        Consumption(Durable("record-dead", f"{DEAD_PREFIX}>"), Codec(DeadLetter), writer(engine, QUARANTINE)),
    )


async def main(service: Service) -> None:
    """Record until asked to stop."""
    engine = make_async_engine(service.settings.database.url, service.settings.database.pool_size)

    async def reach_database() -> None:
        with database_errors():
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    try:
        await service.until_done("database", reach_database)
        await service.consume(*consumptions(engine))
    finally:
        await engine.dispose()


if __name__ == "__main__":
    run("record", main)
