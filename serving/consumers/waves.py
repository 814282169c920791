"""The order of quotes: which of a batch count, and whether the state still fits them."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from riskee.messaging.messages import Quote


@dataclass
class Waves:
    """What the state has taken: the latest quote of each ticker, and the session that runs."""

    market_ticker: str = ""
    latest: dict[str, Quote] = field(default_factory=dict)
    feed: str = ""
    day: date = date.min
    _following: date | None = None
    _missing: frozenset[str] = frozenset()

    def split(self, quotes: Iterable[Quote]) -> list[list[Quote]]:
        """The quotes worth predicting, in waves to be predicted one after the other; of each ticker its latest.

        A session's wave ends where the market's next quote begins, so that a ticker is predicted with the market of
        its own moment: neither a later one, which would look ahead, nor an older one than need be. Quotes of an
        earlier session than the one that runs, older quotes and a feed that was left are dropped.
        """
        newest: dict[str, Quote] = {}
        waves = []
        for _, session in groupby(quotes, key=_session):
            wanted: dict[str, Quote] = {}
            market: dict[datetime, Quote] = {}
            for quote in session:
                ticker = quote.ticker
                if self._outdated(quote, newest.get(ticker) or self.latest.get(ticker)):
                    continue
                newest[ticker] = wanted[ticker] = quote
                if ticker == self.market_ticker:
                    market[quote.data_time] = quote
            wanted.pop(self.market_ticker, None)
            waves += _beside_market(list(wanted.values()), list(market.values()))
        return waves

    def outdated(self, quote: Quote) -> bool:
        """Whether the state is in a later session, or has taken a later quote of the ticker, or one of a feed that came
        after this one's."""
        return self._outdated(quote, self.latest.get(quote.ticker))

    def took(self, quotes: Sequence[Quote]) -> None:
        """Note quotes that the state has taken."""
        self.latest.update((quote.ticker, quote) for quote in quotes)

    def must_rebuild(self, feed: str, day: date, unknown: Collection[str]) -> bool:
        """Whether the state cannot go on to a session by itself: another feed, a gap, or tickers it does not know.

        A ticker that the database did not know at an earlier rebuild is no reason.
        """
        return feed != self.feed or day not in (self.day, self._following) or not self._missing.issuperset(unknown)

    def rebuilt(self, feed: str, missing: Collection[str]) -> None:
        """Note that the state was built anew, and which tickers the database does not know."""
        self.feed = feed
        self._missing = self._missing.union(missing)
        self.latest = {ticker: quote for ticker, quote in self.latest.items() if quote.feed == feed}

    def advanced(self, day: date, following: date | None) -> None:
        """Note the session that runs now and the one after it."""
        self.day, self._following = day, following

    def _outdated(self, quote: Quote, last: Quote | None) -> bool:
        if quote.session_date < self.day and quote.feed == self.feed:
            # One late quote must not throw the state of all tickers back.
            return True
        if last is None:
            return False
        if quote.feed != last.feed:
            return quote.received_at < last.received_at
        # The same quote again is not outdated: it was delivered twice, and must give its prediction once more.
        return (quote.session_date, quote.data_time, quote.sequence) < (
            last.session_date,
            last.data_time,
            last.sequence,
        )


def _session(quote: Quote) -> tuple[str, date]:
    return quote.feed, quote.session_date


def _beside_market(quotes: list[Quote], market: list[Quote]) -> list[list[Quote]]:
    """One wave for each quote of the market (ascending) beside which others are, and the last; first what came before
    all of them."""
    if not market:
        return [quotes] if quotes else []
    moments = [quote.data_time for quote in market]
    waves: list[list[Quote]] = [[], *([quote] for quote in market)]
    for quote in quotes:
        waves[bisect_right(moments, quote.data_time)].append(quote)
    before, *beside, last = waves
    return [*([before] if before else []), *(wave for wave in beside if len(wave) > 1), last]
