"""What was published on a subject since a moment: for a process that starts and must know what happened of late."""

from datetime import datetime

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from riskee.errors import PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope, PayloadT
from riskee.messaging.streams import stream_of
from riskee.messaging.subjects import Subject
from riskee.storage.bus import Bus, codec_of

_FETCHED = 256
_SECONDS = 5.0

_log = get_logger(__name__)


async def published_since(bus: Bus, subject: Subject[PayloadT], moment: datetime) -> list[Envelope[PayloadT]]:
    """The messages of a subject, oldest first; what cannot be read is passed over.

    Raises RetryableError where the bus does not answer.
    """
    # The server forgets the consumer by itself.
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=moment.isoformat(),  # type: ignore[arg-type]  # the client sends it as it is
        ack_policy=AckPolicy.NONE,
        inactive_threshold=2 * _SECONDS,
    )
    envelopes: list[Envelope[PayloadT]] = []
    try:
        reader = await bus.jetstream.pull_subscribe(subject.name, stream=stream_of(subject.name).name, config=config)
        waiting = (await reader.consumer_info()).num_pending or 0
        while waiting > 0:
            messages = await reader.fetch(min(waiting, _FETCHED), timeout=_SECONDS)
            waiting -= len(messages)
            for message in messages:
                try:
                    envelopes.append(codec_of(subject).decode(message.data))
                except PoisonError as error:
                    _log.warning("passed over", subject=subject.name, cause=str(error))
        await reader.unsubscribe()
    except (nats.errors.Error, TimeoutError) as error:
        raise RetryableError(f"{subject.name} cannot be read: {error!r}", "it is tried again") from error
    return envelopes
