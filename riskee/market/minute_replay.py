"""Past minute bars, told as the running daily bars of their session: one quote for each ticker and minute."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from riskee.market.minutes import MinuteBar
from riskee.market.quotes import Tick
from riskee.market.running_bars import RunningBars
from riskee.market.sessions import Session


def expand_minutes(
    bars: Mapping[str, Sequence[MinuteBar]],
    session: Session,
    feed: str,
    factors: Mapping[str, float],
    *,
    complete: bool,
) -> Iterator[Tick]:
    """The quotes of the minutes, in order of time. Raw prices; `factors` are the adjustment factors by ticker.

    A quote bears the end of its minute. At the close of a session that is `complete`, every ticker has a final quote,
    also one that was not traded in the last minute.
    """
    running = RunningBars(feed, [session], dict(factors))
    told = sorted(((bar.start, ticker, bar) for ticker, own in bars.items() for bar in own), key=lambda one: one[:2])
    minutes = [list(minute) for _, minute in groupby(told, key=lambda one: one[0])]
    for minute in minutes:
        for _, ticker, bar in minute:
            running.take_minute(ticker, bar)
        if complete and minute is minutes[-1]:
            running.finish(session.session_date)
        yield from running.drain()
