"""Events from a run to the bus. A run does not fail because nobody listens."""

import uuid
from collections.abc import Mapping

from riskee.clock import Clock
from riskee.messaging.envelope import PayloadT
from riskee.messaging.subjects import Subject
from riskee.settings import NatsSettings
from riskee.storage.announcing import announce

SOURCE = "dagster"


def publish(
    settings: NatsSettings, clock: Clock, subject: Subject[PayloadT], payloads: Mapping[uuid.UUID, PayloadT]
) -> str:
    """Publish payloads under their message ids. Returns what to say of it: how many, or why none."""
    return announce(settings, clock, SOURCE, subject, payloads)
