"""Dates of quarterly reports from several sources: which are of the same report, and where some must be missing."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

from riskee.storage.calendar import Report
from riskee.storage.findings import Finding, Kind

# Sources differ by some days on when a report came out. Of two dates the later one counts: on the earlier one the
# figures may not have been known.
_SAME = timedelta(days=10)
# Companies report each quarter. What comes sooner is a monthly figure, an announcement, or a wrong date.
_APART = timedelta(days=30)
_QUARTER = timedelta(days=120)


def reconcile(incoming: Iterable[Report], known: Mapping[str, Collection[date]]) -> tuple[list[Report], list[Report]]:
    """What to store of the incoming reports beside the known dates of each ticker; and what not, being too near.

    A report takes the known date on which it, or at most ten days after which it, came out. Reports with a result go
    first, then those with an estimate.
    """
    dates = {ticker: set(days) for ticker, days in known.items()}
    stored: dict[tuple[str, date], Report] = {}
    refused: list[Report] = []
    for report in sorted(incoming, key=lambda one: _order(one, known)):
        of_ticker = dates.setdefault(report.ticker, set())
        day = _same(report.report_date, known.get(report.ticker, ()))
        near = day is None and any(abs(report.report_date - other) < _APART for other in of_ticker)
        if near or (report.ticker, day) in stored:
            refused.append(report)
            continue
        day = day or report.report_date
        of_ticker.add(day)
        stored[report.ticker, day] = replace(report, report_date=day)
    return list(stored.values()), refused


def _order(report: Report, known: Mapping[str, Collection[date]]) -> tuple[object, ...]:
    exact = report.report_date in known.get(report.ticker, ())
    return report.ticker, not exact, report.eps_reported is None, report.eps_estimate is None, report.report_date


def _same(day: date, known: Collection[date]) -> date | None:
    """The first known date from `day` on, if it is near enough to be of the same report."""
    return min((other for other in known if timedelta() <= other - day <= _SAME), default=None)


def report_gaps(dates: Mapping[str, Collection[date]]) -> Iterator[Finding]:
    """A finding for each report that comes more than 120 days after the one before: one in between is missing."""
    for ticker, days in dates.items():
        for before, day in pairwise(sorted(days)):
            if day - before > _QUARTER:
                yield Finding(ticker, day, Kind.REPORT_GAP, f"{(day - before).days} days after the report before")
