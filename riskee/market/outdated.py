"""Findings against the stored bars: which are written down, and which newer bars have mended."""

from collections.abc import Collection, Iterable
from datetime import date

import pandas as pd

from riskee.market.findings import judged
from riskee.market.validation import Validated
from riskee.storage.findings import OF_HISTORY, WHOLE_SOURCE, Finding, Kind, StoredFinding


def confirmed(findings: Iterable[Finding], overruled: Collection[tuple[str, date]]) -> list[Finding]:
    """Those that are true of what is stored: of a source's history, or of a bar that was not `overruled` by another."""
    return [one for one in findings if one.kind in OF_HISTORY or (one.ticker, one.session) not in overruled]


def outdated(
    stored: Iterable[StoredFinding],
    checked: Validated,
    source: str,
    overruled: Collection[tuple[str, date]] = (),
    *,
    whole: bool = True,
) -> list[StoredFinding]:
    """Those of the stored findings that the validated bars of `source` were asked about, and did not confirm.

    A bar's findings go whichever source they are from, for the newest source's bar is the stored one. The `overruled`
    (ticker, session) are not: there another source's bar is, and its findings stay.
    """
    bars = checked.accepted[judged(checked.accepted, whole=whole)]
    found = {(one.ticker, one.session, one.kind) for one in confirmed(checked.findings, overruled)}
    doubted = [one for one in stored if (one.ticker, one.session, one.kind) not in found]
    asked = _keys(bars, {one.session for one in doubted}).difference(overruled)
    tickers = {WHOLE_SOURCE, *bars["ticker"].unique()}

    def mended(one: StoredFinding) -> bool:
        if one.kind in OF_HISTORY:
            return whole and one.source == source and one.ticker in tickers
        return one.kind is not Kind.REPORT_GAP and (one.ticker, one.session) in asked

    return [one for one in doubted if mended(one)]


def _keys(bars: pd.DataFrame, sessions: set[date]) -> set[tuple[str, date]]:
    """Ticker and session of the bars of these sessions."""
    wanted = bars[bars["session"].isin(pd.to_datetime(sorted(sessions)))]
    return set(zip(wanted["ticker"], wanted["session"].dt.date, strict=True))
