"""Events from whoever is no service to the bus. Nobody fails because nobody listens: what happened is answered."""

import asyncio
import uuid
from collections.abc import Mapping

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.messaging.envelope import Envelope, PayloadT, wrap
from riskee.messaging.subjects import Subject
from riskee.settings import NatsSettings

CONNECT_SECONDS = 3.0


def announce(
    settings: NatsSettings,
    clock: Clock,
    source: str,
    subject: Subject[PayloadT],
    payloads: Mapping[uuid.UUID, PayloadT],
) -> str:
    """Publish payloads under their message ids. Returns what to say of it: how many, or why none."""
    envelopes = [
        wrap(payload, message_id=message_id, correlation_id=message_id, source=source, at=clock.now())
        for message_id, payload in payloads.items()
    ]
    if not envelopes:
        return "nothing to publish"
    try:
        asyncio.run(_publish(settings, source, subject, envelopes))
    except RetryableError as error:
        return f"not published: {error}"
    return f"{len(envelopes)} published on {subject.name}"


async def _publish(
    settings: NatsSettings, source: str, subject: Subject[PayloadT], envelopes: list[Envelope[PayloadT]]
) -> None:
    from riskee.storage.bus import Bus

    bus = await Bus.connect(settings, source, timeout=CONNECT_SECONDS)
    try:
        await bus.ensure_streams()
        await bus.publish(subject, *envelopes)
    finally:
        await bus.close()
