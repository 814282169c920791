"""The end of the stream, as the database will tell it once it is recorded."""

from datetime import date, datetime

from riskee.messaging.messages import Quote
from riskee.storage.last_quotes import came_on_its_day


def own_time(quote: Quote) -> tuple[datetime, int]:
    """When a quote was made, by itself: of a ticker's quotes the greatest is the last, whenever it came."""
    return quote.data_time, quote.sequence


class Tail:
    """Of a feed's quotes the last of each ticker and session, by its own time, until a session.

    Of that session those count that came until a moment, if one is given; of earlier ones those that came live. It
    holds no more, however long the tail is.
    """

    def __init__(self, feed: str, day: date, until: datetime | None) -> None:
        self._feed = feed
        self._day = day
        self._until = until
        self._last: dict[tuple[date, str], Quote] = {}

    @property
    def quotes(self) -> list[Quote]:
        """The last ones."""
        return [*self._last.values()]

    def take(self, quote: Quote) -> None:
        """Hear of a quote, in whatever order."""
        if quote.feed != self._feed or not self._counts(quote):
            return
        key = quote.session_date, quote.ticker
        last = self._last.get(key)
        if last is None or own_time(last) < own_time(quote):
            self._last[key] = quote

    def _counts(self, quote: Quote) -> bool:
        if quote.session_date == self._day:
            return self._until is None or quote.received_at <= self._until
        return quote.session_date < self._day and came_on_its_day(quote)
