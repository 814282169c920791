"""What a durable that exists keeps, whatever its reader wants."""

from nats.js.api import ConsumerConfig

from riskee.logs import get_logger

_log = get_logger(__name__)


def keeping(wanted: ConsumerConfig, existing: ConsumerConfig, stream: str) -> ConsumerConfig:
    """What is wanted of a durable of the stream, but with the begin and the group of readers that it was made with.

    A server refuses to change the one. It takes the other, and delivers nothing more (seen with 2.15).
    """
    if (existing.deliver_group or None) != wanted.deliver_group:
        name = wanted.durable_name
        _log.warning(
            "the durable was made otherwise, and stays so",
            durable=name,
            shared=bool(existing.deliver_group),
            next_step=f"to change it end its readers, then `nats consumer rm {stream} {name}`: its stream is read anew",
        )
    return wanted.evolve(
        deliver_policy=existing.deliver_policy,
        opt_start_seq=existing.opt_start_seq,
        deliver_group=existing.deliver_group,
    )
