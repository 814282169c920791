"""What is said of a message that cannot be processed."""

from riskee.clock import Clock
from riskee.ids import dead_letter_id
from riskee.messaging.envelope import Codec, wrap
from riskee.messaging.messages import DeadLetter
from riskee.storage.bus import Outgoing

DEAD_PREFIX = "dead."
_LONGEST_BODY = 16_384
_codec = Codec(DeadLetter)


def dead_letter(subject: str, reason: str, body: bytes, source: str, clock: Clock) -> Outgoing:
    """The message that says that `body`, of `subject`, cannot be processed."""
    identity = dead_letter_id(subject, reason, body)
    letter = DeadLetter(
        subject=subject,
        reason=reason,
        body=body[:_LONGEST_BODY].decode(errors="backslashreplace"),
        failed_at=clock.now(),
        source=source,
    )
    envelope = wrap(letter, message_id=identity, correlation_id=identity, source=source, at=clock.now())
    return Outgoing(DEAD_PREFIX + subject, str(identity), _codec.encode(envelope))
