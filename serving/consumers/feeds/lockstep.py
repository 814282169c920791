"""Waiting for the predictions of what was published: a replay that does gives the same predictions every time.

Under load predict keeps only the newest quote of each ticker among those that wait, and which these are is chance. A
feed that sends the quotes of a moment only when those of the last one are acknowledged leaves nothing to coalesce.
"""

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
# So long it is nothing to tell of.
_PATIENCE_SECONDS = 10.0


async def until_predicted(service: Service) -> None:
    """Wait until all quotes on the bus are acknowledged by predict. Raises StoppedError when asked to stop meanwhile.

    After a while the health says what is waited for.
    """
    began, delay = service.clock.now(), _FIRST_PAUSE
    while not await service.until_done("lockstep", lambda: _caught_up(service)):
        if (service.clock.now() - began).total_seconds() > _PATIENCE_SECONDS:
            service.health.down("predict", "the replay waits until predict has taken the quotes: `riskee status`")
        await rest(service, delay)
        delay = min(2 * delay, _LONGEST_PAUSE)
    service.health.up("predict")


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
