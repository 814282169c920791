"""Features that know too much: a feature that tells the next move too well has seen it."""

from dataclasses import dataclass

import numpy as np

from riskee.features.definitions import features_of
from riskee.model.dataset import TrainingSet
from riskee.model.evaluation import pooled_ic
from riskee.model.evidence import outcomes
from riskee.model.uncertainty import Estimate

# A whole model of daily returns is good at a pooled correlation of 0.02 to 0.04; the best of some twenty features does
# less. A single one at 0.05 is odd; at 0.1 it would explain 1 % of the variance, an edge nobody leaves in daily bars
# of liquid stocks, while today's return in place of yesterday's gives 1, a week's that ends a day late 0.4.
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

    The interval keeps small data from being suspected of luck. What looks ahead without telling the direction, as a
    volatility, or by a session in a year's mean, shows no correlation: the features' own tests truncate history.
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
