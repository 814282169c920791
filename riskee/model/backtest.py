"""The walk-forward predictions themselves, for those who want to read them. Offline only."""

from dataclasses import dataclass
from datetime import date

from riskee.market.bars import Floats
from riskee.model.dataset import TrainingSet
from riskee.model.training import MODEL, boosted
from riskee.model.walk_forward import calibrated, out_of_fold


@dataclass(frozen=True)
class Backtest:
    """Out-of-fold predictions, one an element, ordered by session and ticker; returns are log returns."""

    ticker: tuple[str, ...]
    session: tuple[date, ...]
    expected_return: Floats
    p_up: Floats
    outcome: Floats


def backtest(data: TrainingSet) -> Backtest:
    """Predict each fold from the folds before it, exactly as the training's evaluation does.

    Raises PoisonError when there is too little history.
    """
    result = out_of_fold(data, {MODEL: boosted})
    forecast = calibrated(result, MODEL, data.outcome, data.scale)
    tested = result.fold > 0
    return Backtest(
        ticker=tuple(data.tickers[number] for number in data.ticker[tested]),
        session=tuple(data.session[tested].tolist()),
        expected_return=forecast.score * data.scale[tested],
        p_up=forecast.p_up,
        outcome=data.outcome[tested],
    )
