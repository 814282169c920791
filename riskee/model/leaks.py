"""Features that know too much: a feature that tells the next move too well has seen it."""

from dataclasses import dataclass

import numpy as np

from riskee.features.definitions import features_of
from riskee.model.dataset import TrainingSet
from riskee.model.evaluation import pooled_ic
from riskee.model.evidence import outcomes
from riskee.model.uncertainty import Estimate

# A whole model of daily returns is good at a pooled correlation of 0.02 to 0.04. Measured on 446 tickers and ten years,
# the best single feature has 0.03; one that is a session ahead has 0.97 (the last return), 0.4 (a week's, the Bollinger
# band), 0.3 (the relative strength index), 0.19 (a month's), 0.11 (a quarter's), 0.06 (a year's).
SUSPICIOUS = 0.05
IMPOSSIBLE = 0.10


@dataclass(frozen=True)
class Suspect:
    """A feature and its correlation with the outcome; `impossible` where that can only be a leak."""

    feature: str
    ic: Estimate
    impossible: bool


def suspects(data: TrainingSet) -> list[Suspect]:
    """The features whose rank correlation with the outcome is beyond SUSPICIOUS, also at the near end of its interval.

    The interval keeps small data from being suspected of luck. What looks ahead without telling the direction, such as
    a volatility or a volume, shows no correlation: that the tests find that truncate history.
    """
    made, found = outcomes(data), []
    scaled = made.outcome / made.scale
    for column, name in enumerate(features_of(data.model_type)):
        values = data.features[:, column]
        there = np.isfinite(values)
        ic = pooled_ic(values[there], scaled[there], made.session[there]) if there.any() else None
        if ic is not None and (near := max(ic.low, -ic.high)) > SUSPICIOUS:
            found.append(Suspect(name, ic, near > IMPOSSIBLE))
    return found
