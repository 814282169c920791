"""`economic_indicators`: a document for each series and quarter, with the change to the quarter and the year before."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter

from riskee import ids
from riskee.documents.document import Document
from riskee.documents.wording import moved
from riskee.storage.macro import MacroValue


@dataclass(frozen=True)
class Indicator:
    """What a series is called, and whether it is a rate in per cent (its changes are points) or a level."""

    series: str
    label: str
    is_rate: bool


INDICATORS = (
    Indicator("realgdp", "US real gross domestic product", is_rate=False),
    Indicator("realcons", "US real consumption", is_rate=False),
    Indicator("realinv", "US real private investment", is_rate=False),
    Indicator("cpi", "US consumer price index", is_rate=False),
    Indicator("m1", "US money supply M1", is_rate=False),
    Indicator("tbilrate", "US three-month Treasury bill rate", is_rate=True),
    Indicator("unemp", "US unemployment rate", is_rate=True),
    Indicator("infl", "US inflation rate", is_rate=True),
)
_BY_SERIES = {indicator.series: indicator for indicator in INDICATORS}
QUARTERS_A_YEAR = 4


def economic_indicators(points: Iterable[MacroValue], quarters: int) -> list[Document]:
    """Documents of the last `quarters` of each known series; series that are not in `INDICATORS` are left out."""
    documents = []
    ordered = sorted((p for p in points if p.series in _BY_SERIES), key=attrgetter("series", "period_start"))
    for series, group in groupby(ordered, key=attrgetter("series")):
        values = list(group)
        positions = range(max(0, len(values) - quarters), len(values))
        documents += [_document(_BY_SERIES[series], values, at) for at in positions]
    return documents


def _document(indicator: Indicator, points: Sequence[MacroValue], at: int) -> Document:
    point = points[at]
    quarter = f"the {_ordinal(point.period_start)} quarter of {point.period_start.year}"
    changes = [
        f"{_change(indicator, points[at - back].value, point.value)} against the {name} before"
        for back, name in ((1, "quarter"), (QUARTERS_A_YEAR, "year"))
        if at >= back
    ]
    value = f"{point.value:,.1f}%" if indicator.is_rate else f"{point.value:,.1f} ({point.unit})"
    return Document(
        document_id=ids.document_id(
            "economic_indicators", point.source, f"{point.series}:{point.period_start.isoformat()}"
        ),
        collection="economic_indicators",
        ticker=None,
        title=f"{indicator.label} in {quarter}",
        body=f"The {indicator.label.removeprefix('US ')} of the United States was {value} in {quarter}."
        + (f" It {' and '.join(changes)}." if changes else ""),
        source=point.source,
        published_at=point.known_at,
        known_at=point.known_at,
    )


def _change(indicator: Indicator, earlier: float, value: float) -> str:
    if not indicator.is_rate:
        return moved(math.log(value / earlier))
    points = value - earlier
    if abs(points) < 0.05:
        return "was unchanged"
    return f"{'rose' if points > 0 else 'fell'} {abs(points):.1f} points"


def _ordinal(start: date) -> str:
    return ("first", "second", "third", "fourth")[(start.month - 1) // 3]
