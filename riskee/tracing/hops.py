"""The hops of a tick: each knows its parent, so that no message has to carry one.

A tick's trace has the quote's id, which every message that it causes has too (`correlation_id`, `quote_id`). A span's
id is derived from the trace and the hop: every service knows the ids of the others' spans without being told.
"""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from uuid import UUID


class Kind(StrEnum):
    """What a span is to its parent, as OpenTelemetry has it."""

    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


@dataclass(frozen=True)
class Hop:
    """One step of a tick through the services. `part` tells steps of one name apart."""

    name: str
    kind: Kind
    parent: "Hop | None" = None
    part: str = ""

    def span_id(self, trace: UUID, nth: str = "") -> int:
        """The id of this hop's span in a trace, 64 bits; `nth` tells several apart, none of which is a parent."""
        name = f"{self.name}\x1f{self.part}\x1f{nth}".encode()
        return int.from_bytes(blake2b(name, digest_size=8, key=trace.bytes).digest())


INGEST_PUBLISH = Hop("ingest.publish", Kind.PRODUCER)
RECORD_QUOTES = Hop("record.batch", Kind.CONSUMER, INGEST_PUBLISH, "quotes")
PREDICT_WAVE = Hop("predict.wave", Kind.CONSUMER, INGEST_PUBLISH)
CACHE_WRITE = Hop("cache.write", Kind.CLIENT, PREDICT_WAVE)
EVENT_PUBLISH = Hop("event.publish", Kind.PRODUCER, PREDICT_WAVE)
RECORD_PREDICTIONS = Hop("record.batch", Kind.CONSUMER, EVENT_PUBLISH, "predictions")
API_DELIVER = Hop("api.deliver", Kind.CONSUMER, EVENT_PUBLISH)

HOPS = (
    INGEST_PUBLISH,
    RECORD_QUOTES,
    PREDICT_WAVE,
    CACHE_WRITE,
    EVENT_PUBLISH,
    RECORD_PREDICTIONS,
    API_DELIVER,
)
