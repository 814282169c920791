"""Whether features have drifted: a test whose false alarms do not depend on how much data there is.

With hundreds of thousands of rows every fixed threshold or textbook p-value "finds" drift, for rows of a day move
together and days resemble the days before. So the last block of sessions is compared with blocks of the same length
from the training window: is it further from the rest than they are from each other? Under the null hypothesis, that
the blocks could have come in any order, its rank among them is uniform: the test is exact for any number of features
and any dependence within a block, and a long training window does not make it nervous (a permutation test of the
maximum statistic: Westfall & Young 1993; on blocks: Künsch 1989).
"""

from dataclasses import dataclass

import numpy as np

from riskee.market.bars import Floats

BINS = 10


@dataclass(frozen=True)
class Drift:
    """One test. `p_value` is that of the most distant feature, already paid for having looked at all of them.

    `distances` are the live block's Kolmogorov-Smirnov distances from all other blocks, by feature; `usual` is their
    mean over all blocks. `beyond` names the features whose own distance would have fired, most distant first.
    """

    p_value: float
    blocks: int
    distances: dict[str, float]
    usual: dict[str, float]
    beyond: tuple[str, ...]

    def fired(self, level: float) -> bool:
        """Whether the test rejects at this rate of false alarms."""
        return self.p_value <= level


def bin_edges(values: Floats) -> Floats:
    """The inner quantiles of a feature's training values; fewer where a value is very frequent. NaN is passed over."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.empty(0)
    return np.unique(np.quantile(known, np.arange(1, BINS) / BINS))


def daily_shares(day: "np.ndarray[tuple[int], np.dtype[np.int64]]", values: Floats, edges: Floats, days: int) -> Floats:
    """(days, edges) share of each day's values at or below each edge; NaN for a day without a value.

    `day` numbers the days from 0. A day counts once, however many tickers it has.
    """
    known = ~np.isnan(values)
    day, values = day[known], values[known]
    rows = np.bincount(day, minlength=days).astype(float)
    below = np.stack([np.bincount(day, values <= edge, minlength=days) for edge in edges], axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(below / rows[:, None], np.float64)


def block_means(shares: Floats, length: int) -> Floats:
    """(blocks, edges) mean shares of consecutive blocks of `length` days, the last one at the end; odd days are cut."""
    blocks = len(shares) // length
    cut = shares[len(shares) - blocks * length :].reshape(blocks, length, -1)
    known = ~np.isnan(cut)
    count = known.sum(axis=1)
    total = np.where(known, cut, 0.0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), np.float64)


def drift_test(training: dict[str, Floats], live: dict[str, Floats], length: int, level: float) -> Drift | None:
    """Compare the last `length` days of `live` with blocks of the training days; both are daily shares by feature.

    None when there is too little: fewer live days than a block, or too few blocks for `level` ever to be reached.
    """
    distances: dict[str, Floats] = {}
    for name, shares in training.items():
        if len(live[name]) < length or (len(shares) // length + 1) * level < 1:
            return None
        blocks = np.vstack([block_means(shares, length), block_means(live[name], length)[-1:]])
        # Without a value in some block (a window that is not warm yet), a feature says nothing.
        if blocks.shape[1] and not np.isnan(blocks).any():
            distances[name] = _leave_one_out(blocks)
    if not distances:
        return None
    usual = {name: float(distance.mean()) for name, distance in distances.items()}
    relative = np.stack([distances[name] / (usual[name] or 1.0) for name in distances])
    worst = relative.max(axis=0)
    limit = np.sort(worst)[-max(1, int(level * len(worst)))]
    beyond = sorted(
        (name for name, row in zip(distances, relative, strict=True) if row[-1] >= limit),
        key=lambda name: -distances[name][-1] / (usual[name] or 1.0),
    )
    return Drift(
        p_value=float((worst >= worst[-1]).mean()),
        blocks=len(worst) - 1,
        distances={name: float(distance[-1]) for name, distance in distances.items()},
        usual=usual,
        beyond=tuple(beyond),
    )


def _leave_one_out(blocks: Floats) -> Floats:
    """Each block's largest difference of shares from the mean of all others: alike for all, the live one included."""
    others = (blocks.sum(axis=0) - blocks) / (len(blocks) - 1)
    return np.asarray(np.abs(blocks - others).max(axis=1), np.float64)
