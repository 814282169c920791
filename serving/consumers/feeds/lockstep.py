"""Waiting for what becomes of quotes: for their predictions, and until they are recorded.

A replay that waits gives the same predictions every time: under load predict keeps only the newest quote of each ticker
among those that wait, and which these are is chance. A feed that sends the quotes of a moment only when those of the
last one are acknowledged leaves nothing to coalesce. And a live feed that goes on from the last recorded quotes must
know them all.
"""

from collections.abc import Awaitable, Callable

import nats
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from riskee.errors import RetryableError
from riskee.messaging.streams import stream_of
from riskee.messaging.subjects import QUOTE
from serving.consumers.feeds.feed import rest
from serving.consumers.service import Service

# Every durable that predicts quotes is named so, whatever its share of the tickers.
PREDICTORS = "predict-quotes"
_STREAM = stream_of(QUOTE.name).name
# A quote's subject may carry a slot as its last token.
_SUBJECTS = (QUOTE.name, f"{QUOTE.name}.*")
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05
_RECORDER = "record-quotes"
# So long it is nothing to tell of.
_PATIENCE_SECONDS = 10.0


async def until_predicted(service: Service) -> None:
    """Wait until all quotes on the bus are acknowledged by predict. Raises StoppedError when asked to stop meanwhile.

    After a while the health says what is waited for.
    """
    trouble = "the replay waits until predict has taken the quotes: `riskee status`"
    await _until(service, _caught_up, "predict", trouble)


async def until_recorded(service: Service) -> None:
    """Wait until the database has all quotes that are on the bus, if anybody records them.

    Raises StoppedError when asked to stop meanwhile. After a while the health says what is waited for.
    """
    trouble = "the feed waits until the quotes of before are recorded, to go on from them: `riskee status`"
    await _until(service, _is_recorded, "record", trouble)


async def _until(service: Service, done: Callable[[Service], Awaitable[bool]], name: str, trouble: str) -> None:
    began, delay = service.clock.now(), _FIRST_PAUSE
    while not await service.until_done("lockstep", lambda: done(service)):
        if (service.clock.now() - began).total_seconds() > _PATIENCE_SECONDS:
            service.health.down(name, trouble)
        await rest(service, delay)
        delay = min(2 * delay, _LONGEST_PAUSE)
    service.health.up(name)


async def _is_recorded(service: Service) -> bool:
    try:
        info = await service.bus.jetstream.consumer_info(_STREAM, _RECORDER)
        newest = await _newest(service)
    except NotFoundError:
        return True
    except (nats.errors.Error, TimeoutError) as error:
        raise RetryableError("the message bus does not answer", "it is tried again") from error
    return _acknowledged(info) >= newest and not (info.num_pending or info.num_ack_pending)


async def _caught_up(service: Service) -> bool:
    """Whether there is a predictor, none has work left, and one has acknowledged the newest quote.

    The counts alone may be those of the moment before the newest quote, for the server updates them later than it
    acknowledges a publication.
    """
    try:
        consumers = await service.bus.jetstream.consumers_info(_STREAM)
        newest = await _newest(service)
    except (nats.errors.Error, TimeoutError) as error:
        raise RetryableError("the message bus does not answer", "it is tried again") from error
    predictors = [info for info in consumers if info.name.startswith(PREDICTORS)]
    done = max((_acknowledged(info) for info in predictors), default=-1)
    return done >= newest and not any(info.num_pending or info.num_ack_pending for info in predictors)


def _acknowledged(info: ConsumerInfo) -> int:
    return (info.ack_floor.stream_seq or 0) if info.ack_floor else 0


async def _newest(service: Service) -> int:
    """The number of the newest quote in the stream; 0 without one."""
    newest = 0
    for subject in _SUBJECTS:
        try:
            newest = max(newest, (await service.bus.jetstream.get_last_msg(_STREAM, subject)).seq or 0)
        except NotFoundError:
            continue
    return newest
