"""`market_news`: a digest of each notable session, made from its bar.

Notable is a move far beyond the ticker's usual one, or far more trading than usual. Nothing is said of causes: the
bars do not tell them.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from riskee import ids
from riskee.documents.document import Document
from riskee.documents.history import History, before, trailing_deviation, trailing_mean
from riskee.documents.wording import day, moved, percent, times
from riskee.market.bars import Floats

MOVE_SESSIONS = 60
VALUE_SESSIONS = 20
NOTABLE = 2.5


def market_news(stocks: Sequence[History], market: History | None, since: date, per_ticker: int) -> list[Document]:
    """Digests from `since` on, at most the `per_ticker` most notable sessions of each ticker.

    Digests of the market itself have no ticker.
    """
    market_moves = dict(zip(market.sessions, market.move, strict=True)) if market else {}
    documents = [
        _digest(history, position, surprise, market_moves)
        for history in stocks
        for position, surprise in _notable(history, since, per_ticker)
    ]
    if market:
        documents += [
            _market_digest(market, position, surprise) for position, surprise in _notable(market, since, per_ticker)
        ]
    return documents


def _notable(history: History, since: date, limit: int) -> list[tuple[int, tuple[float, float]]]:
    """Positions of notable sessions, in time order, with (move / usual move, traded value / usual value)."""
    move, value = _surprises(history)
    strength = np.fmax(move, value)
    strength[: history.first_at(since)] = np.nan
    notable = np.flatnonzero(strength >= NOTABLE)
    strongest = notable[np.argsort(-strength[notable], kind="stable")[:limit]]
    return [(int(at), (float(move[at]), float(value[at]))) for at in np.sort(strongest)]


def _surprises(history: History) -> tuple[Floats, Floats]:
    """How many times the usual move and the usual traded value each session had; usual: of the sessions before."""
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.abs(history.move) / before(trailing_deviation(history.move, MOVE_SESSIONS))
        value = history.value / before(trailing_mean(history.value, VALUE_SESSIONS))
    return np.where(np.isfinite(move), move, np.nan), np.where(np.isfinite(value), value, np.nan)


def _digest(
    history: History,
    at: int,
    surprise: tuple[float, float],
    market_moves: Mapping[date, float],
) -> Document:
    ticker, session, move = history.ticker, history.sessions[at], float(history.move[at])
    market_move = market_moves.get(session, np.nan)
    beside = f" The market {moved(market_move)}." if np.isfinite(market_move) else ""
    return Document(
        document_id=ids.document_id("market_news", history.sources[at], f"{ticker}:{session.isoformat()}"),
        collection="market_news",
        ticker=ticker,
        title=f"{ticker} {_headline(move, surprise)} on {day(session)}",
        body=f"{ticker} closed at {history.raw_close[at]:.2f} and {moved(move)} in the session. "
        f"{_comparison(surprise)}{beside}",
        source=history.sources[at],
        published_at=history.closed_at[at],
        known_at=history.closed_at[at],
    )


def _market_digest(market: History, at: int, surprise: tuple[float, float]) -> Document:
    session, move = market.sessions[at], float(market.move[at])
    return Document(
        document_id=ids.document_id("market_news", market.sources[at], f"{market.ticker}:{session.isoformat()}"),
        collection="market_news",
        ticker=None,
        title=f"The market ({market.ticker}) {_headline(move, surprise)} on {day(session)}",
        body=f"The index closed at {market.raw_close[at]:.2f} and {moved(move)} in the session. "
        f"{_comparison(surprise)}",
        source=market.sources[at],
        published_at=market.closed_at[at],
        known_at=market.closed_at[at],
    )


def _headline(move: float, surprise: tuple[float, float]) -> str:
    if surprise[0] >= NOTABLE:
        return f"{'jumped' if move > 0 else 'dropped'} {percent(move)}"
    return f"{moved(move)} in unusually heavy trading"


def _comparison(surprise: tuple[float, float]) -> str:
    """What of the surprises is known, in sentences."""
    move, value = surprise
    sentences = []
    if np.isfinite(move):
        sentences.append(f"The move was {times(move)} the usual daily move of the {MOVE_SESSIONS} sessions before.")
    if np.isfinite(value):
        sentences.append(f"The traded value was {times(value)} the mean of the {VALUE_SESSIONS} sessions before.")
    return " ".join(sentences)
