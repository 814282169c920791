"""`prediction_context`: past predictions with the circumstances and what came of them.

They come from the track record of what was published, and from the walk-forward evaluation: there each was made by a
model that had not seen the session or any later one, fitted for this alone, whether the training's own model was
promoted or refused. The documents say which of the two they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from riskee import ids
from riskee.documents.document import Document
from riskee.documents.history import History, trailing_deviation
from riskee.documents.wording import day, moved, percent
from riskee.market.bars import Floats

BACKTEST = "walk-forward backtest"
LIVE = "track record"
CIRCUMSTANCE_SESSIONS = 20
# Source, who made the prediction, and where it is from.
_LIVE = (LIVE, "Live: the {} model", "Prediction published at the time.")
_BACKTEST = (
    BACKTEST,
    "Backtest: a model of type {}",
    "Out-of-fold prediction from the walk-forward backtest of a training, made by a model that was fitted for it "
    "alone; not published at the time.",
)


@dataclass(frozen=True)
class PastPrediction:
    """A prediction of `session` with its outcome; returns are log returns to the next session's close.

    `made_at` is when it was published; None: it is an out-of-fold one, made at the session's close.
    """

    ticker: str
    session: date
    model_type: str
    expected_return: float
    p_up: float
    outcome: float
    made_at: datetime | None = None


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
    ticker, session, live = history.ticker, prediction.session, prediction.made_at is not None
    # As the mart `prediction_outcomes` counts hits: the likelier direction, and no move is no gain.
    called = prediction.p_up >= 0.5
    right, direction = called == (prediction.outcome > 0), "a gain" if called else "a loss"
    source, who, origin = _LIVE if live else _BACKTEST
    return Document(
        document_id=ids.document_id(
            "prediction_context", source, f"{prediction.model_type}:{ticker}:{session.isoformat()}"
        ),
        collection="prediction_context",
        ticker=ticker,
        title=f"{who.format(prediction.model_type)} expected {direction} of {ticker} "
        f"{'on' if live else 'after'} {day(session)}",
        # What was published during a session did not know its close.
        body=f"{origin} {_circumstances(history, at - live, volatility)}The model expected {direction} by the next "
        f"close, with {prediction.p_up:.0%} for a gain and a mean move of {percent(prediction.expected_return)} "
        f"{'up' if prediction.expected_return > 0 else 'down'}. "
        f"{ticker} {moved(prediction.outcome)}: the direction was {'right' if right else 'wrong'}.",
        source=source,
        published_at=prediction.made_at or history.closed_at[at],
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
