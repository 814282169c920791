"""Market regimes that were known at each session's close, before the outcome."""

import numpy as np
from numpy.typing import NDArray

from riskee.features.definitions import features_of
from riskee.market.bars import Floats
from riskee.model.dataset import TrainingSet
from riskee.model.walk_forward import Mask

VOLATILITY = ("calm market", "usual market", "wild market")
TREND = ("falling market", "rising market")
UNKNOWN = "unknown"


def regimes(data: TrainingSet, tested: Mask) -> dict[str, Mask]:
    """The tested rows of each regime, as masks over the tested rows; a regime without rows is left out.

    The market's volatility over a month is called calm, usual or wild by its terciles in the sessions before the first
    tested one, so no session is judged by what came later.
    """
    volatility = data.features[:, features_of(data.model_type).index("market_volatility_20d")]
    known = data.place < data.place[tested].min()
    _, first = np.unique(data.place[known], return_index=True)
    names = (
        _labels(volatility[tested], _terciles(volatility[known][first]), VOLATILITY),
        _labels(data.market_trend[tested], np.zeros(1), TREND),
    )
    made = {name: labels == name for labels in names for name in np.unique(labels).tolist() if name != UNKNOWN}
    order = {name: place for place, name in enumerate((*VOLATILITY, *TREND))}
    return dict(sorted(made.items(), key=lambda item: order[item[0]]))


def _terciles(daily: Floats) -> Floats:
    there = daily[np.isfinite(daily)]
    return np.quantile(there, [1 / 3, 2 / 3]) if len(there) else np.full(2, np.nan)


def _labels(values: Floats, edges: Floats, names: tuple[str, ...]) -> NDArray[np.str_]:
    """The name of each value's place between the edges; UNKNOWN where either is missing."""
    place = np.searchsorted(edges, np.nan_to_num(values), side="right")
    there = np.isfinite(values) & np.isfinite(edges).all()
    return np.where(there, np.array(names)[place], UNKNOWN)
