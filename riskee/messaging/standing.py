"""The messages that say where feeds and tickers stand."""

from datetime import datetime

from riskee.messaging.messages import Message, Ticker
from riskee.messaging.statuses import Status


class FeedStatus(Message, frozen=True):
    """Where a feed stands as predict sees it, in full: stored on each change (`event.prediction.status`), and sent
    every second as a sign of life (`beat.predict`).
    """

    feed: str
    status: Status
    # The moment of the cause: the last quote before a silence, the first one after it, the open, the close. A number
    # of a quote before it is not a current one.
    since: datetime
    halted: tuple[Ticker, ...] = ()
    # The slots of the tickers that the predictor answers for (riskee/messaging/slots.py).
    slots: tuple[int, ...] = ()
    # How far `data.market.status` was read for this, as a sequence of its stream.
    read_through: int = 0


class StaleTickers(Message, frozen=True):
    """Tickers whose last quote became too old while others went on (`event.prediction.stale`)."""

    feed: str
    tickers: tuple[Ticker, ...]
    since: datetime
