"""`economic_indicators`: a document for each series and quarter, with the change to the quarter and the year before."""

import math
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter

from riskee import ids
from riskee.documents.document import Document
from riskee.documents.wording import moved
from riskee.storage.macro import MacroValue

# What a stock prediction may turn on; the other stored series say much the same.
SERIES = (
    "real gross domestic product",
    "real personal consumption expenditures",
    "real gross private domestic investment",
    "consumer price index",
    "M1 money stock",
    "three-month Treasury bill rate",
    "unemployment rate",
    "inflation rate",
)
QUARTERS_A_YEAR = 4


def economic_indicators(points: Iterable[MacroValue], quarters: int) -> list[Document]:
    """Documents of the last `quarters` of each of `SERIES`."""
    documents = []
    ordered = sorted((point for point in points if point.series in SERIES), key=attrgetter("series", "period_start"))
    for _, group in groupby(ordered, key=attrgetter("series")):
        values = list(group)
        positions = range(max(0, len(values) - quarters), len(values))
        documents += [_document(values, at) for at in positions]
    return documents


def _document(points: Sequence[MacroValue], at: int) -> Document:
    point = points[at]
    quarter = f"the {_ordinal(point.period_start)} quarter of {point.period_start.year}"
    changes = [
        f"{_change(points[at - back], point)} against the {name} before"
        for back, name in ((1, "quarter"), (QUARTERS_A_YEAR, "year"))
        if at >= back
    ]
    value = f"{point.value:,.1f}%" if _is_rate(point) else f"{point.value:,.1f} ({point.unit})"
    key = f"{point.series}:{point.period_start.isoformat()}"
    return Document(
        document_id=ids.document_id("economic_indicators", point.source, key),
        collection="economic_indicators",
        ticker=None,
        title=f"US {point.series} in {quarter}",
        body=f"The {point.series} of the United States was {value} in {quarter}."
        + (f" It {' and '.join(changes)}." if changes else ""),
        source=f"macro series (as later revised): {point.source}",
        published_at=point.known_at,
        known_at=point.known_at,
    )


def _is_rate(point: MacroValue) -> bool:
    """Whether it is in per cent, so that its changes are points."""
    return point.unit.startswith("percent")


def _change(earlier: MacroValue, point: MacroValue) -> str:
    if not _is_rate(point):
        return moved(math.log(point.value / earlier.value))
    points = point.value - earlier.value
    if abs(points) < 0.05:
        return "was unchanged"
    return f"{'rose' if points > 0 else 'fell'} {abs(points):.1f} points"


def _ordinal(start: date) -> str:
    return ("first", "second", "third", "fourth")[(start.month - 1) // 3]
