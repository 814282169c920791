"""`technical_patterns`: patterns in a ticker's bars, with what followed over the next five sessions.

A document can be known only once the five sessions are over; the count of earlier occurrences that it gives holds
only those whose outcome was known when the pattern appeared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from riskee import ids
from riskee.documents.document import Document
from riskee.documents.history import History, before, smoothed, trailing_deviation, trailing_max, trailing_mean
from riskee.documents.wording import day, moved

FOLLOW_UP = 5
YEAR = 252
Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Pattern:
    """A named pattern: where it appears in a history, and what it is, in words."""

    name: str
    label: str
    meaning: str
    positions: Callable[[History], Positions]


def _begins(state: NDArray[np.bool_], defined: NDArray[np.bool_]) -> Positions:
    """Where a state becomes true after a bar on which it was defined and false."""
    was_false = np.concatenate(([False], ~state[:-1] & defined[:-1]))
    return np.flatnonzero(state & was_false)


def _crosses(upper: NDArray[np.float64], lower: NDArray[np.float64]) -> Positions:
    """Where `upper` rises above `lower`."""
    return _begins(upper > lower, np.isfinite(upper) & np.isfinite(lower))


def _rsi(history: History) -> NDArray[np.float64]:
    change = np.diff(history.close, prepend=history.close[:1])
    gains, losses = smoothed(np.maximum(change, 0), 1 / 14), smoothed(np.maximum(-change, 0), 1 / 14)
    with np.errstate(invalid="ignore"):
        rsi = 100 * gains / (gains + losses)
    rsi[:14] = np.nan
    return rsi


def _band(history: History, deviations: float) -> NDArray[np.float64]:
    return trailing_mean(history.close, 20) + deviations * trailing_deviation(history.close, 20)


def _average(sessions: int) -> Callable[[History], NDArray[np.float64]]:
    return lambda history: trailing_mean(history.close, sessions)


def _year_high(history: History) -> Positions:
    return _crosses(history.close, before(trailing_max(history.close, YEAR)))


def _year_low(history: History) -> Positions:
    return _crosses(before(-trailing_max(-history.close, YEAR)), history.close)


def _gap(history: History, direction: int) -> Positions:
    with np.errstate(invalid="ignore"):
        gap = direction * np.log(history.open / before(history.close))
    return np.flatnonzero(gap > 0.02)


def _run(history: History, direction: int) -> Positions:
    same = (direction * history.move > 0).astype(np.float64)
    return _crosses(trailing_mean(same, FOLLOW_UP), np.full(len(same), 0.999))


_short, _long = _average(50), _average(200)
PATTERNS = (
    Pattern("golden_cross", "golden cross", "the 50-session average of the close rose above the 200-session average",
            lambda h: _crosses(_short(h), _long(h))),
    Pattern("death_cross", "death cross", "the 50-session average of the close fell below the 200-session average",
            lambda h: _crosses(_long(h), _short(h))),
    Pattern("overbought", "overbought RSI", "the 14-session relative strength index rose above 70",
            lambda h: _crosses(_rsi(h), np.full(len(h.close), 70.0))),
    Pattern("oversold", "oversold RSI", "the 14-session relative strength index fell below 30",
            lambda h: _crosses(np.full(len(h.close), 30.0), _rsi(h))),
    Pattern("above_band", "close above the Bollinger band", "the close rose above the upper 20-session Bollinger band",
            lambda h: _crosses(h.close, _band(h, 2.0))),
    Pattern("below_band", "close below the Bollinger band", "the close fell below the lower 20-session Bollinger band",
            lambda h: _crosses(_band(h, -2.0), h.close)),
    Pattern("year_high", "one-year high", "the close rose above every close of the year before", _year_high),
    Pattern("year_low", "one-year low", "the close fell below every close of the year before", _year_low),
    Pattern("gap_up", "gap up", "the session opened more than 2% above the last close", lambda h: _gap(h, 1)),
    Pattern("gap_down", "gap down", "the session opened more than 2% below the last close", lambda h: _gap(h, -1)),
    Pattern("five_up", "five gains in a row", "the close rose in five sessions in a row", lambda h: _run(h, 1)),
    Pattern("five_down", "five losses in a row", "the close fell in five sessions in a row", lambda h: _run(h, -1)),
)  # fmt: skip


def technical_patterns(stocks: Sequence[History], since: date, per_ticker: int) -> list[Document]:
    """Patterns that appeared from `since` on and whose follow-up is over.

    A ticker with more than `per_ticker` keeps that many, spread evenly over time.
    """
    documents = []
    for history in stocks:
        found = sorted(
            ((at, pattern) for pattern in PATTERNS for at in _known(pattern.positions(history), history)),
            key=lambda item: (item[0], item[1].name),
        )
        earlier = _earlier_gains(history, found)
        recent = [index for index, (at, _) in enumerate(found) if at >= history.first_at(since)]
        for index in _spread(recent, per_ticker):
            at, pattern = found[index]
            documents.append(_document(history, at, pattern, earlier[index]))
    return documents


def _known(positions: Positions, history: History) -> list[int]:
    return [int(at) for at in positions if at + FOLLOW_UP < len(history.close)]


def _follow_up(history: History, at: int) -> float:
    return float(np.log(history.close[at + FOLLOW_UP] / history.close[at]))


def _earlier_gains(history: History, found: Sequence[tuple[int, Pattern]]) -> list[tuple[int, int]]:
    """For each occurrence: earlier ones of the same pattern whose outcome was known by then, and how many gained."""
    counts = []
    seen: dict[str, list[int]] = {}
    for at, pattern in found:
        over = [earlier for earlier in seen.setdefault(pattern.name, []) if earlier + FOLLOW_UP <= at]
        counts.append((len(over), sum(_follow_up(history, earlier) > 0 for earlier in over)))
        seen[pattern.name].append(at)
    return counts


def _spread(items: Sequence[int], limit: int) -> list[int]:
    if len(items) <= limit:
        return list(items)
    return [items[position] for position in np.linspace(0, len(items) - 1, limit).round().astype(int)]


def _document(history: History, at: int, pattern: Pattern, earlier: tuple[int, int]) -> Document:
    ticker, session = history.ticker, history.sessions[at]
    occurred, gained = earlier
    record = (
        f"Earlier occurrences since {day(history.sessions[0])}: {occurred}, "
        f"followed by a gain over five sessions: {gained}."
    )
    return Document(
        document_id=ids.document_id(
            "technical_patterns", history.sources[at], ids.pattern_key(ticker, session, pattern.name)
        ),
        collection="technical_patterns",
        ticker=ticker,
        title=f"{ticker}: {pattern.label} on {day(session)}",
        body=f"For {ticker}, {pattern.meaning}. {record} "
        f"Over the five sessions after, {ticker} {moved(_follow_up(history, at))}.",
        source=history.sources[at],
        published_at=history.closed_at[at],
        known_at=history.closed_at[at + FOLLOW_UP],
    )
