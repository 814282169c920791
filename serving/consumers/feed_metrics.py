"""Where the feed stands, and how old the quotes of a predictor's tickers are, as metrics."""

import numpy as np
from numpy.typing import NDArray

from riskee.messaging.standing import FeedStatus
from riskee.messaging.statuses import Status
from riskee.telemetry import FEED_STATUS, QUOTE_AGE

# What a feed can be; the other statuses are of tickers.
FEED_STATUSES = (Status.OK, Status.FEED_MUTE, Status.SESSION_CLOSED)
_SHARES = (0.5, 0.95, 1.0)


def show(standing: FeedStatus, ages: NDArray[np.float64]) -> None:
    """Set the gauges. `ages` are in seconds. A predictor in reserve, or one that has heard of no feed, has none."""
    FEED_STATUS.clear()
    QUOTE_AGE.clear()
    if not standing.slots or not standing.feed:
        return
    # A replay counts its passes in its feed's name; a label that grows would never end.
    feed = standing.feed.partition("/")[0]
    for status in FEED_STATUSES:
        FEED_STATUS.labels(feed, status).set(standing.status is status)
    if len(ages):
        for share, age in zip(_SHARES, np.quantile(ages, _SHARES).tolist(), strict=True):
            QUOTE_AGE.labels(share).set(age)
