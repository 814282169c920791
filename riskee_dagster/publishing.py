"""Events from a run to the bus. A run does not fail because nobody listens."""

import asyncio
import uuid
from collections.abc import Mapping

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.messaging.envelope import Envelope, PayloadT, wrap
from riskee.messaging.subjects import Subject
from riskee.settings import NatsSettings

SOURCE = "dagster"
CONNECT_SECONDS = 3.0


def publish(
    settings: NatsSettings, clock: Clock, subject: Subject[PayloadT], payloads: Mapping[uuid.UUID, PayloadT]
) -> str:
    """Publish payloads under their message ids. Returns what to say of it: how many, or why none."""
    envelopes = [
        wrap(payload, message_id=message_id, correlation_id=message_id, source=SOURCE, at=clock.now())
        for message_id, payload in payloads.items()
    ]
    if not envelopes:
        return "nothing to publish"
    try:
        asyncio.run(_publish(settings, subject, envelopes))
    except RetryableError as error:
        return f"not published: {error}"
    return f"{len(envelopes)} published on {subject.name}"


async def _publish(settings: NatsSettings, subject: Subject[PayloadT], envelopes: list[Envelope[PayloadT]]) -> None:
    from riskee.storage.bus import Bus

    bus = await Bus.connect(settings, SOURCE, timeout=CONNECT_SECONDS)
    try:
        await bus.ensure_streams()
        await bus.publish(subject, *envelopes)
    finally:
        await bus.close()
