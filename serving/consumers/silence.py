"""Which numbers are no current ones any more: a mute feed, stale tickers, halts, closed sessions (docs/adr/0093).

No input or output. Silence is measured on a monotonic clock from when quotes arrive here, so neither the times of a
replay, which are long past, nor a clock that is set can hide it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from riskee.clock import Clock
from riskee.messaging.messages import MarketState, MarketStatus, Quote
from riskee.messaging.slots import SLOTS, slot_of
from riskee.messaging.standing import FeedStatus
from riskee.messaging.statuses import Status
from riskee.settings import FeedSettings
from serving.consumers.announced import Announced

# A feed whose quotes are younger on arrival plays by the calendar; any other says itself when its sessions are.
_LIVE = timedelta(days=1)
ALL_SLOTS = tuple(range(SLOTS))
# No more quotes than so many wait for a turn, however late it is.
_MOST_WAITING = 20_000


class Silence:
    """Told of every quote that predict takes and of every announcement; asked a few times a second what changed."""

    def __init__(
        self,
        settings: FeedSettings,
        announced: Announced,
        clock: Clock,
        monotonic: Callable[[], float],
        slots: Callable[[], tuple[int, ...]] = lambda: ALL_SLOTS,
        market_ticker: str = "",
    ) -> None:
        self.announced = announced
        self.feed = ""
        self.status = Status.OK
        self.since = clock.now()
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._slots = slots
        self._market_ticker = market_ticker
        self._live = settings.kind != "replay"
        # Called where a turn is worth taking at once.
        self.wake: Callable[[], None] = lambda: None
        self._newest: Quote | None = None
        self._waiting: list[Quote] = []
        self._opened = ("", date.min)
        self._heard_last = monotonic()
        self._tickers: list[str] = []
        self._rows: dict[str, int] = {}
        self._slot_of_row = np.empty(0, np.int64)
        self._heard = np.empty(0)
        # Where each ticker's latest quote is in its feed: a clock may be set back, a feed's order is not.
        self._latest: dict[str, tuple[date, datetime, int]] = {}
        # The tickers that have had a new quote; whoever marks numbers takes them out.
        self.spoke: set[str] = set()
        self._stale = np.empty(0, np.bool_)
        self._owned = np.empty(0, np.bool_)
        self._owned_slots = slots()

    def know(self, tickers: Iterable[str]) -> None:
        """Watch tickers from now on, though no quote of them may ever come."""
        new = [ticker for ticker in dict.fromkeys(tickers) if ticker not in self._rows]
        self._rows.update((ticker, len(self._tickers) + place) for place, ticker in enumerate(new))
        self._tickers += new
        self._slot_of_row = np.append(self._slot_of_row, [slot_of(ticker) for ticker in new]).astype(np.int64)
        self._heard = np.append(self._heard, np.full(len(new), self._monotonic()))
        self._stale = np.append(self._stale, np.zeros(len(new), np.bool_))
        self._owned = np.append(self._owned, np.isin(self._slot_of_row[len(self._owned) :], self._owned_slots))

    def took(self, quotes: Sequence[Quote]) -> None:
        """Quotes came and are predicted. They are looked at together at the next turn, which is soon."""
        self._waiting += quotes
        if len(self._waiting) > _MOST_WAITING:
            self._absorb()
        if self.status is not Status.OK:
            self.wake()

    def _absorb(self) -> None:
        quotes, self._waiting = self._waiting, []
        for _, group in groupby(quotes, key=attrgetter("feed")):
            self._hear(list(group))

    def _hear(self, quotes: Sequence[Quote]) -> None:
        """Note who spoke. A quote that was heard before, or that a job asked for, breaks no silence."""
        if quotes[0].feed != self.feed:
            self._begin(quotes[0].feed, quotes[0].received_at)
        if any(quote.ticker not in self._rows for quote in quotes):
            self.know(quote.ticker for quote in quotes)
        new = [quote for quote in quotes if self._advances(quote)]
        if not new:
            return
        rows = [self._rows[quote.ticker] for quote in new]
        self._heard_last = self._heard[rows] = self._monotonic()
        self._stale[rows] = False
        self.spoke.update(quote.ticker for quote in new)
        self._live = new[0].received_at - new[0].data_time < _LIVE
        self._newest = new[-1]
        speaks = self.status is Status.FEED_MUTE and self._breaks_silence(new[-1])
        if speaks or (self.status is Status.SESSION_CLOSED and self._opens(new[-1])):
            self._become(Status.OK, new[0].received_at)

    def _advances(self, quote: Quote) -> bool:
        """Whether a quote is later than all of its ticker before it."""
        place = quote.session_date, quote.data_time, quote.sequence
        last = self._latest.get(quote.ticker)
        if last is not None and place <= last:
            return False
        self._latest[quote.ticker] = place
        return True

    def _breaks_silence(self, quote: Quote) -> bool:
        """Not where it came before the silence, as those from which the state is rebuilt after a restart.

        One that came just now breaks it, though the clock was set back since.
        """
        age = abs(self._clock.now() - quote.received_at).total_seconds()
        return quote.received_at > self.since or age < self._settings.mute_after_seconds

    def _opens(self, quote: Quote) -> bool:
        """Whether a quote shows that a closed session is over, though no one has said so."""
        if self._by_calendar() and self.announced.session_at(self._clock.now()) is None:
            return False
        outside = self.announced.outside_session(quote.session_date, quote.data_time)
        return quote.received_at > self.since and not outside and not quote.final

    def told(self, status: MarketStatus, at: datetime) -> None:
        """A feed announced something at a moment. Announcements come in their order, quotes between them in any."""
        self._absorb()
        if status.feed != self.feed:
            if self._newest is not None and self._newest.feed != status.feed and self._newest.received_at > at:
                return
            self._begin(status.feed, at)
        if status.ticker is not None:
            change = {status.ticker}
            halted = self.announced.halted
            self.announced.halted = halted | change if status.state is MarketState.HALTED else halted - change
        elif status.state is MarketState.CLOSED:
            self._close(status.data_time, at)
        elif status.state is MarketState.OPEN and self._opened != (status.feed, status.data_time.date()):
            self._opened = (status.feed, status.data_time.date())
            # A resumption may have been missed; what is halted still is told again after the open.
            self.announced.halted = frozenset()
            self._become(Status.OK, at)

    def _close(self, data_time: datetime, at: datetime) -> None:
        self.announced.closed_at, self.announced.closed_on = data_time, data_time.date()
        overtaken = self._newest is not None and self._newest.received_at > at
        if not (overtaken and self._newest is not None and self._newest.session_date > data_time.date()):
            self._become(Status.SESSION_CLOSED, at)

    def _begin(self, feed: str, since: datetime) -> None:
        """Another feed: what the last one said does not hold of it."""
        if self.feed:
            self.announced.halted = frozenset()
            self._become(Status.OK, since)
        self._latest.clear()
        self.feed = feed

    def restore(self, stored: FeedStatus) -> None:
        """Go on from what was published last."""
        self.feed, self.status, self.since = stored.feed, stored.status, stored.since
        self.announced.halted = frozenset(stored.halted)
        if stored.status is not Status.SESSION_CLOSED:
            self._opened = (stored.feed, stored.since.date())

    def turn(self) -> tuple[str, ...]:
        """Look at the clocks. Answers the tickers that became stale since the last turn."""
        self._absorb()
        now = self._monotonic()
        self._disown(now)
        if self._by_calendar():
            self._follow_calendar()
        if self.status is Status.OK and now - self._heard_last > self._settings.mute_after_seconds:
            silent = timedelta(seconds=now - self._heard_last)
            self._become(Status.FEED_MUTE, max(self.since, self._clock.now() - silent))
        if self.status is not Status.OK:
            return ()
        late = (now - self._heard > self._settings.stale_after_seconds) & self._owned & ~self._stale
        self._stale |= late
        return tuple(self._predicted(late))

    def _by_calendar(self) -> bool:
        return self._live and bool(self.announced.calendar)

    def _follow_calendar(self) -> None:
        now = self._clock.now()
        session = self.announced.session_at(now)
        if session is None and self.status is not Status.SESSION_CLOSED:
            self._become(Status.SESSION_CLOSED, self.announced.last_close(now) or now)
        elif (
            session is not None
            and self.status is Status.SESSION_CLOSED
            and self.announced.closed_on < session.session_date
        ):
            self._become(Status.OK, session.opens_at)

    def _disown(self, now: float) -> None:
        """Note which tickers another predictor answers for; one that was taken over has time to speak."""
        slots = self._slots()
        if slots != self._owned_slots:
            owned = np.isin(self._slot_of_row, slots)
            self._revive(owned & ~self._owned, now)
            self._owned_slots, self._owned = slots, owned

    def _become(self, status: Status, since: datetime) -> None:
        self.status, self.since = status, since
        if status is Status.OK:
            # Nobody could speak before.
            self._heard_last = self._monotonic()
            self._revive(np.ones(len(self._tickers), np.bool_), self._heard_last)

    def _revive(self, rows: NDArray[np.bool_], now: float) -> None:
        self._heard[rows] = now
        self._stale[rows] = False

    def standing(self) -> FeedStatus:
        """Where the feed stands, in full."""
        halted = tuple(sorted(self.announced.halted))
        return FeedStatus(feed=self.feed, status=self.status, since=self.since, halted=halted, slots=self._owned_slots)

    def owned(self) -> list[str]:
        """The tickers that are predicted here."""
        return self._predicted(self._owned)

    def ages(self) -> NDArray[np.float64]:
        """Seconds since each of them was heard."""
        return np.asarray(self._monotonic() - self._heard[self._owned], np.float64)

    def halted(self) -> set[str]:
        """Those of them that are halted."""
        rows = (self._rows.get(ticker) for ticker in self.announced.halted)
        return {self._tickers[row] for row in rows if row is not None and self._owned[row]}

    def _predicted(self, rows: NDArray[np.bool_]) -> list[str]:
        """The tickers of these rows; of the market's index there is no number."""
        names = (self._tickers[row] for row in np.flatnonzero(rows))
        return [ticker for ticker in names if ticker != self._market_ticker]
