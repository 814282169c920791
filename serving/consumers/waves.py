"""The order of quotes: which of a batch count, and whether the state still fits them."""

from collections.abc import Collection, Iterator, Sequence
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

    def split(self, quotes: Sequence[Quote]) -> Iterator[list[Quote]]:
        """The quotes worth predicting, a list for each moment of each session in order: of each ticker its latest.

        Of the market every quote is kept, so that a ticker is predicted with the market of its own moment: neither a
        later one, which would look ahead, nor an older one than need be. Quotes of an earlier session than a ticker's
        last, older quotes and a feed that was left are dropped.
        """
        for _, session in groupby(quotes, key=lambda quote: (quote.feed, quote.session_date)):
            wanted: dict[str, Quote] = {}
            market: dict[datetime, Quote] = {}
            for quote in session:
                if self._outdated(quote, wanted.get(quote.ticker) or self.latest.get(quote.ticker)):
                    continue
                wanted[quote.ticker] = quote
                if quote.ticker == self.market_ticker:
                    market[quote.data_time] = quote
            wanted.pop(self.market_ticker, None)
            moments = sorted([*market.values(), *wanted.values()], key=_moment)
            for _, wave in groupby(moments, key=_moment):
                yield list(wave)

    @staticmethod
    def _outdated(quote: Quote, last: Quote | None) -> bool:
        if last is None:
            return False
        if quote.feed != last.feed:
            return quote.received_at < last.received_at
        # The same quote again is not outdated: it was delivered twice, and must give its prediction once more.
        return _place(quote) < _place(last)

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


def _moment(quote: Quote) -> datetime:
    return quote.data_time


def _place(quote: Quote) -> tuple[date, datetime, int]:
    return quote.session_date, quote.data_time, quote.sequence
