"""Ratios of the product to its floor, one for each turn."""

from collections.abc import Sequence
from statistics import median_high


def told(ratios: Sequence[float]) -> float | None:
    """The median of turns, of an even number the worse of the middle two: their mean could be one turn's hiccup."""
    return round(median_high(ratios), 2) if ratios else None


def listed(ratios: Sequence[float]) -> str:
    """Each turn's ratio, and which of them counts."""
    if not ratios:
        return ""
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    counts = f" ({'the worse' if len(ratios) == 2 else 'the median'} counts)" if len(ratios) > 1 else ""
    return f"turn{'s' if len(ratios) > 1 else ''} {each}{counts}"
