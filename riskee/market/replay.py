"""A real daily bar, told as four quotes of its session: open, low and high, close.

A daily bar does not say when its extremes happened. The rule here: the low comes first when the session closed at or
above its open, else the high. The extremes are placed at 30 % and 70 % of the session, and the running volume at each
quote is a fixed share of the day's; only the last quote has the whole volume and is marked final. All else is exact:
folding the quotes back gives the bar. So the quotes before the last one tell something of the close, and what is
predicted from them is not scored (riskee.storage.outcomes).
"""

import math

from riskee.errors import PoisonError
from riskee.market.bars import Bar
from riskee.market.quotes import Tick
from riskee.market.sessions import Session

# When each quote is due, as a share of the session, and the volume traded by then.
TIMES = (0.0, 0.3, 0.7, 1.0)
VOLUME_SHARES = (0.05, 0.35, 0.65, 1.0)
WAVES = len(TIMES)
REPLAY = "replay"
# Feeds of minute bars are named `replay/minutes/...`.
MINUTES = "minutes"


def feed_name(pass_number: int, window: str = REPLAY) -> str:
    """The feed of one pass of what is replayed; every pass predicts anew."""
    return f"{window}/{pass_number}"


def expand(bar: Bar, hours: Session, feed: str) -> tuple[Tick, ...]:
    """The quotes of a bar in order of time. Raises PoisonError for a bar that no sequence of prices can give."""
    _require_possible(bar)
    low_first = bar.close >= bar.open
    prices = (bar.open, *((bar.low, bar.high) if low_first else (bar.high, bar.low)), bar.close)
    length = hours.closes_at - hours.opens_at
    return tuple(
        Tick(
            feed=feed,
            ticker=bar.ticker,
            data_time=hours.opens_at + length * TIMES[index],
            session_date=bar.session,
            sequence=index,
            price=price,
            open=bar.open,
            high=max(prices[: index + 1]),
            low=min(prices[: index + 1]),
            volume=bar.volume * VOLUME_SHARES[index],
            adjustment_factor=bar.factor,
            final=index == WAVES - 1,
        )
        for index, price in enumerate(prices)
    )


def _require_possible(bar: Bar) -> None:
    numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    if (
        not all(map(math.isfinite, numbers))
        or not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    ):
        raise PoisonError(
            f"the bar of {bar.ticker} on {bar.session} is impossible: {numbers}",
            "import the session again from a better source",
        )
