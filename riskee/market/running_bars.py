"""The running daily bar of every ticker, put together from what a live feed says.

A feed gives minute bars, trades, corrections and cancels of trades, or snapshots of the whole bar; `drain` gives what
has changed since as quotes, at most one for each ticker. What counts:

- Regular hours only, as the sessions say (early closes and summer time are in them), and the print of the closing
  auction that comes shortly after the close.
- The order of arrival is no matter: late and repeated minutes and trades of the running session give the same bar. The
  newest vintage of a minute counts (`MinuteBar.vintage`). The exception is a trade that comes later than `keep_trades`:
  the trades of its minute are forgotten, and what it adds is known only once the vendor's bar of that minute comes.
- A snapshot stands for all that was before its moment; minutes that begin at its moment or later are added to it.
- A quote's time is the newest moment that its ticker has told of: the end of a minute, the time of a trade or of its
  correction. What comes late changes the bar but not the time, and counts up `sequence`. So (data time, sequence)
  only ever grows, as `QuoteGate` wants it.
- A session ends by `finish`, or when a minute of a later one comes: its last quote is `final` and bears the close. A
  correction after that gives another final quote.

Nothing here asks a clock, and nothing blocks. A minute should be given when it is over: its quote bears its end.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from riskee.market.conditions import CLOSING_TRADE
from riskee.market.minutes import MinuteBar, Trade, TradeKey
from riskee.market.quotes import Tick
from riskee.market.session_bar import SessionBar, Snapshot
from riskee.market.sessions import Session
from riskee.messaging.messages import Quote

# How long after the close the auction's print, or a snapshot of the whole session, may bear its time.
AFTER_CLOSE = timedelta(hours=1)

__all__ = ["MinuteBar", "RunningBars", "Snapshot", "Trade"]


@dataclass(frozen=True, slots=True)
class _Told:
    """A ticker's last quote: where it stood, and what it said."""

    data_time: datetime
    sequence: int
    content: tuple[object, ...]


@dataclass
class RunningBars:
    """Running daily bars of one feed. Not safe for use by several threads at once.

    `sessions` are in order and may be replaced as the days go by; what is told of other times is left out.
    `factors` holds the adjustment factor of the running session for tickers where it is not 1: stored factors have the
    viewpoint of the ticker's first import (ADR 0021), so a live quote must bear the newest stored bar's factor, changed
    by a split or dividend of its own day. `keep_trades` is how long trades are kept for corrections.

    All times are UTC. The methods that take something answer whether it could be placed: False is not an error but
    means that it told of no session that is under way, or, of `cancel` and `correct`, that the trades of that minute
    are not all known any more: ask the vendor for the session's minutes then, and give them to `restore`.
    """

    feed: str
    sessions: Sequence[Session]
    factors: Mapping[str, float] = field(default_factory=dict)
    keep_trades: timedelta = timedelta(minutes=5)
    _days: dict[str, SessionBar] = field(default_factory=dict)
    _told: dict[str, _Told] = field(default_factory=dict)
    # In the order in which they changed; a dict, because a set has none.
    _changed: dict[str, None] = field(default_factory=dict)
    _ended: list[Tick] = field(default_factory=list)

    def take_minute(self, ticker: str, bar: MinuteBar) -> bool:
        """A minute bar, the first of its minute or one that takes its place."""
        day = self._day(ticker, bar.start)
        if day is not None:
            day.take_bar(bar)
        return day is not None

    def take_trade(self, ticker: str, trade: Trade) -> bool:
        """A trade; what it changes is a matter of its conditions (see riskee.market.conditions)."""
        day = self._day(ticker, trade.time, AFTER_CLOSE if CLOSING_TRADE in trade.conditions else timedelta())
        if day is not None:
            day.take_trade(trade)
        return day is not None

    def take_snapshot(self, ticker: str, snapshot: Snapshot) -> bool:
        """The whole bar at a moment. One that bears the close, before `finish`, makes the session's final quote."""
        day = self._day(ticker, snapshot.time, AFTER_CLOSE)
        if day is not None:
            day.take_snapshot(snapshot)
        return day is not None

    def cancel(self, ticker: str, key: TradeKey, time: datetime) -> bool:
        """A trade that did not happen, as was said at `time`."""
        return self._amend(ticker, key, time, None)

    def correct(self, ticker: str, key: TradeKey, corrected: Trade) -> bool:
        """A trade that happened otherwise. `corrected.time` is when that was said; the trade keeps its own time."""
        return self._amend(ticker, key, corrected.time, corrected)

    def confirm(self, ticker: str, time: datetime) -> None:
        """A sign of life without a trade, such as a bid: the bar as it is holds at `time` too."""
        day = self._days.get(ticker)
        if day is not None and day.newest < time < day.session.closes_at:
            day.tell(time)
            self._changed[ticker] = None

    def restore(self, ticker: str, bars: Sequence[MinuteBar]) -> bool:
        """All minutes of a session to the last of these, in place of what is known; later ones stay as they are."""
        day = self._day(ticker, max(bar.start for bar in bars)) if bars else None
        if day is not None:
            day.restore([bar for bar in bars if day.session.opens_at <= bar.start < day.session.closes_at])
        return day is not None

    def resume(self, quote: Quote) -> None:
        """Note the last quote of a ticker that an earlier process published: what is told next comes after it."""
        self._told[quote.ticker] = _Told(quote.data_time, quote.sequence, _content(quote))

    def finish(self, session_date: date, tickers: Collection[str] | None = None) -> None:
        """End the session of this day: for these tickers, else for all that have told of it."""
        for ticker in self._days if tickers is None else tickers:
            day = self._days.get(ticker)
            if day is not None and day.session.session_date == session_date and not day.finished:
                day.finished = True
                self._changed[ticker] = None

    def drain(self) -> list[Tick]:
        """What has changed since the last call: of each ticker its running bar, after the final ones that were due."""
        ticks, self._ended = self._ended, []
        changed, self._changed = self._changed, {}
        return ticks + [tick for ticker in changed if (tick := self._tick(ticker, self._days[ticker])) is not None]

    def _day(self, ticker: str, moment: datetime, after: timedelta = timedelta()) -> SessionBar | None:
        """The ticker's session at a moment, which is about to change; a new one ends the one before."""
        at = bisect_right(self.sessions, moment, key=lambda session: session.opens_at) - 1
        if at < 0 or moment >= self.sessions[at].closes_at + after:
            return None
        session, day = self.sessions[at], self._days.get(ticker)
        if day is None or day.session.session_date < session.session_date:
            if day is not None:
                self._end(ticker, day)
            day = self._days[ticker] = SessionBar(session, session.opens_at, self.keep_trades)
        elif day.session.session_date > session.session_date:
            return None
        self._changed[ticker] = None
        return day

    def _end(self, ticker: str, day: SessionBar) -> None:
        day.finished = True
        if (tick := self._tick(ticker, day)) is not None:
            self._ended.append(tick)

    def _amend(self, ticker: str, key: TradeKey, time: datetime, corrected: Trade | None) -> bool:
        day = self._days.get(ticker)
        if day is None:
            return False
        self._changed[ticker] = None
        day.tell(time)
        return day.amend(key, corrected)

    def _tick(self, ticker: str, day: SessionBar) -> Tick | None:
        """The quote of the bar as it is; None where there is none, or the last one said the same."""
        span, last = day.span(), self._told.get(ticker)
        if span is None:
            return None
        data_time = day.session.closes_at if day.finished else day.newest
        data_time = max(data_time, last.data_time) if last else data_time
        tick = Tick(
            feed=self.feed,
            ticker=ticker,
            data_time=data_time,
            session_date=day.session.session_date,
            sequence=last.sequence + 1 if last is not None and data_time == last.data_time else 0,
            price=span.close,
            open=span.open,
            high=span.high,
            low=span.low,
            volume=span.volume,
            adjustment_factor=self.factors.get(ticker, 1.0),
            final=day.finished,
        )
        if last is not None and _content(tick) == last.content:
            return None
        self._told[ticker] = _Told(data_time, tick.sequence, _content(tick))
        return tick


def _content(quote: Tick | Quote) -> tuple[object, ...]:
    """All that a quote says but its number."""
    return (
        quote.data_time,
        quote.price,
        quote.open,
        quote.high,
        quote.low,
        quote.volume,
        quote.adjustment_factor,
        quote.final,
    )
