"""`prediction_context`: past predictions with the circumstances and what came of them.

They come from the walk-forward evaluation: each was made by a model that had not seen the session or any later one.
The documents say that they are such a backtest and not predictions that were published at the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from riskee import ids
from riskee.documents.document import Document
from riskee.documents.history import History, trailing_deviation
from riskee.documents.wording import day, moved, percent
from riskee.market.bars import Floats

SOURCE = "walk-forward backtest"
CIRCUMSTANCE_SESSIONS = 20


@dataclass(frozen=True)
class PastPrediction:
    """An out-of-fold prediction made at the close of `session`; returns are log returns to the next close."""

    ticker: str
    session: date
    model_type: str
    expected_return: float
    p_up: float
    outcome: float


def prediction_context(
    predictions: Iterable[PastPrediction], stocks: Sequence[History], since: date, per_ticker: int
) -> list[Document]:
    """Documents for predictions from `since` on whose outcome is known.

    A ticker with more than `per_ticker` keeps those with the largest expected moves: the telling ones.
    """
    by_ticker: dict[str, list[PastPrediction]] = {}
    for prediction in predictions:
        if prediction.session >= since and np.isfinite(prediction.outcome):
            by_ticker.setdefault(prediction.ticker, []).append(prediction)
    documents = []
    for history in stocks:
        chosen = sorted(by_ticker.get(history.ticker, []), key=lambda p: (-abs(p.expected_return), p.session))
        documents += _documents(history, sorted(chosen[:per_ticker], key=lambda p: (p.session, p.model_type)))
    return documents


def _documents(history: History, predictions: Sequence[PastPrediction]) -> list[Document]:
    position: Mapping[date, int] = {session: at for at, session in enumerate(history.sessions)}
    volatility = trailing_deviation(history.move, CIRCUMSTANCE_SESSIONS)
    return [
        _document(history, position[prediction.session], prediction, volatility)
        for prediction in predictions
        if position.get(prediction.session, len(history.sessions)) + 1 < len(history.sessions)
    ]


def _document(history: History, at: int, prediction: PastPrediction, volatility: Floats) -> Document:
    ticker, session = history.ticker, prediction.session
    right = (prediction.expected_return > 0) == (prediction.outcome > 0)
    direction = "a gain" if prediction.expected_return > 0 else "a loss"
    return Document(
        document_id=ids.document_id(
            "prediction_context", SOURCE, f"{prediction.model_type}:{ticker}:{session.isoformat()}"
        ),
        collection="prediction_context",
        ticker=ticker,
        title=f"Backtest: the {prediction.model_type} model expected {direction} of {ticker} after {day(session)}",
        body=f"Out-of-fold prediction from the walk-forward backtest, not published at the time. "
        f"{_circumstances(history, at, volatility)}The model expected {direction} of "
        f"{percent(prediction.expected_return)} by the next close with {prediction.p_up:.0%} for a gain. "
        f"{ticker} {moved(prediction.outcome)}: the direction was {'right' if right else 'wrong'}.",
        source=SOURCE,
        published_at=history.closed_at[at],
        known_at=history.closed_at[at + 1],
    )


def _circumstances(history: History, at: int, volatility: Floats) -> str:
    if at < CIRCUMSTANCE_SESSIONS or not np.isfinite(volatility[at]):
        return ""
    month = float(np.log(history.close[at] / history.close[at - CIRCUMSTANCE_SESSIONS]))
    return (
        f"Over the {CIRCUMSTANCE_SESSIONS} sessions before, {history.ticker} {moved(month)} "
        f"with a daily volatility of {percent(float(volatility[at]))}. "
    )
