"""Running daily bars folded from rows that come in order and are never corrected, with a state that can be stored.

`riskee.market.running_bars` bears disorder and corrections, at the price of knowing every minute of the day. Here each
ticker is a few numbers, which are stored with the place in the file that they were read to: a row counts once, however
often the process is killed.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import msgspec

from riskee.errors import PoisonError
from riskee.market.minutes import MINUTE, Span
from riskee.market.quotes import Tick
from riskee.market.sessions import Session
from riskee.market.sources.live_rows import LiveRow


class Fold(msgspec.Struct, frozen=True):
    """One ticker's running bar: the time of its last row, and that and the number of its last quote."""

    ticker: str
    session_date: date
    row_time: datetime
    data_time: datetime
    sequence: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    final: bool = False


@dataclass
class FoldedBars:
    """Running bars by ticker. `sessions` are in order; `factors` are the adjustment factors of what is not 1."""

    feed: str
    sessions: Sequence[Session]
    factors: Mapping[str, float] = field(default_factory=dict)
    folds: dict[str, Fold] = field(default_factory=dict)

    def restore(self, folds: Iterable[Fold]) -> None:
        """Go on from a stored state."""
        self.folds = {fold.ticker: fold for fold in folds}

    def forget_before(self, session_date: date) -> None:
        """Leave the bars of earlier sessions."""
        self.folds = {ticker: fold for ticker, fold in self.folds.items() if fold.session_date >= session_date}

    def session_of(self, row: LiveRow) -> Session:
        """The session that a row belongs to, a bar by its beginning. Raises PoisonError where there is none then."""
        length = MINUTE if row.is_bar else timedelta()
        at = bisect_right(self.sessions, row.time, key=lambda session: session.opens_at + length) - 1
        if at < 0 or row.time > self.sessions[at].closes_at:
            raise PoisonError(
                f"there is no session at {row.time.isoformat()}", "rows outside of regular hours are left"
            )
        return self.sessions[at]

    def take(self, row: LiveRow) -> Tick:
        """The quote of the bar with a row more.

        Raises PoisonError for a row outside of all sessions, one that is older than the ticker's last, and a second
        bar of one minute.
        """
        session, last = self.session_of(row), self.folds.get(row.ticker)
        if last is not None and last.session_date < session.session_date:
            last = None
        if last is not None and (row.time < last.row_time or (row.is_bar and row.time == last.row_time)):
            raise PoisonError(
                f"{row.ticker} at {row.time.isoformat()} comes after {last.row_time.isoformat()}",
                "rows of a ticker are in order of time, and bars one for each minute",
            )
        span = row.span if last is None else _span(last).then(row.span)
        data_time = row.time if last is None else max(row.time, last.data_time)
        fold = Fold(
            ticker=row.ticker,
            session_date=session.session_date,
            row_time=row.time,
            data_time=data_time,
            sequence=last.sequence + 1 if last is not None and last.data_time == data_time else 0,
            open=span.open,
            high=span.high,
            low=span.low,
            close=span.close,
            volume=span.volume,
            final=last is not None and last.final,
        )
        self.folds[row.ticker] = fold
        return self._tick(fold)

    def finish(self, session: Session) -> list[Tick]:
        """The final quotes of a session's tickers, at its close; none of those that have had theirs."""
        ticks = []
        for fold in list(self.folds.values()):
            if fold.session_date == session.session_date and not fold.final:
                number = fold.sequence + 1 if fold.data_time == session.closes_at else 0
                closed = msgspec.structs.replace(fold, data_time=session.closes_at, sequence=number, final=True)
                self.folds[fold.ticker] = closed
                ticks.append(self._tick(closed))
        return ticks

    def _tick(self, fold: Fold) -> Tick:
        return Tick(
            feed=self.feed,
            ticker=fold.ticker,
            data_time=fold.data_time,
            session_date=fold.session_date,
            sequence=fold.sequence,
            price=fold.close,
            open=fold.open,
            high=fold.high,
            low=fold.low,
            volume=fold.volume,
            adjustment_factor=self.factors.get(fold.ticker, 1.0),
            final=fold.final,
        )


def _span(fold: Fold) -> Span:
    return Span(open=fold.open, high=fold.high, low=fold.low, close=fold.close, volume=fold.volume)
