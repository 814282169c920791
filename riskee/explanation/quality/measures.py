"""Measures of a ranked list, and how sure their means are."""

import math
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 2000


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float
    count: int


def hit(found: Sequence[uuid.UUID], relevant: Collection[uuid.UUID], k: int) -> float:
    """1 when one of the first `k` is relevant, else 0."""
    return float(any(one in relevant for one in found[:k]))


def ndcg(found: Sequence[uuid.UUID], relevant: Collection[uuid.UUID], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k` (Järvelin and Kekäläinen 2002), relevant or not."""
    gain = sum(1 / math.log2(place + 2) for place, one in enumerate(found[:k]) if one in relevant)
    best = sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
    return gain / best if best else 0.0


def mean(values: Sequence[float], groups: Sequence[str], seed: int) -> Mean:
    """The mean; its interval by resampling whole groups (tickers), whose values depend on each other."""
    names = sorted(set(groups))
    sums = np.array([sum(v for v, g in zip(values, groups, strict=True) if g == name) for name in names])
    counts = np.array([groups.count(name) for name in names])
    draws = np.random.default_rng(seed).integers(0, len(names), size=(_RESAMPLES, len(names)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Mean(float(sums.sum() / counts.sum()), float(low), float(high), len(values))
