"""Durables that take over from others: where those had come to, these begin. Nothing is left out; what lies between
the places of several is read twice, which is harmless (docs/adr/0043).
"""

import re
from collections.abc import Sequence

import nats
from nats.js.api import ConsumerInfo, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.messaging.streams import stream_of
from riskee.storage.bus import Bus
from riskee.storage.inbox import Durable, configuration

_log = get_logger(__name__)


async def succeed(bus: Bus, heirs: Sequence[Durable], retired: str) -> None:
    """Let the heirs, all of one stream, take over from the other durables whose names match the pattern `retired`.

    An heir that does not exist yet begins where the least advanced of the retired had come to; then these are removed.
    Nobody may read them any more. May be broken off, done again and done by several at once.
    Raises RetryableError where the bus does not answer.
    """
    stream = stream_of(heirs[0].subject).name
    names = {heir.name for heir in heirs}
    try:
        # Before the durables are looked at: what is published from now on lies beyond.
        last = (await bus.jetstream.stream_info(stream)).state.last_seq
        found = {info.name: info for info in await bus.jetstream.consumers_info(stream)}
        old = [info for name, info in found.items() if name not in names and re.fullmatch(retired, name)]
        if not old:
            return
        begin = min(_done(info, last) for info in old) + 1
        for heir in heirs:
            if heir.name not in found:
                await _create(bus, stream, heir, begin)
        for info in old:
            await _remove(bus, stream, info.name)
    except (nats.errors.Error, TimeoutError) as error:
        raise RetryableError(f"no durable can take over: {error!r}", "it is tried again") from error
    _log.info("taken over", begin=begin, of=[info.name for info in old], by=sorted(names))


def _done(info: ConsumerInfo, last: int) -> int:
    """The sequence through which a durable has finished its messages, of a stream that ends at `last`."""
    unfinished = (info.num_pending or 0) + (info.num_ack_pending or 0)
    return info.ack_floor.stream_seq if unfinished and info.ack_floor else last if not unfinished else 0


async def _create(bus: Bus, stream: str, durable: Durable, begin: int) -> None:
    config = configuration(durable).evolve(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=begin)
    try:
        await bus.jetstream.add_consumer(stream, config)
    except APIError as error:
        # Another process, which does the same, was faster by a moment.
        _log.info("created elsewhere", durable=durable.name, answer=error.description)
        await bus.jetstream.consumer_info(stream, durable.name)


async def _remove(bus: Bus, stream: str, name: str) -> None:
    try:
        await bus.jetstream.delete_consumer(stream, name)
    except NotFoundError:
        _log.info("removed elsewhere", durable=name)
