"""Findings that newer bars have mended."""

from collections.abc import Iterable
from datetime import date

import pandas as pd

from riskee.market.findings import judged
from riskee.market.validation import Validated
from riskee.storage.findings import OF_HISTORY, WHOLE_SOURCE, Kind, StoredFinding


def outdated(
    stored: Iterable[StoredFinding], checked: Validated, source: str, *, whole: bool = True
) -> list[StoredFinding]:
    """Those of the stored findings that the validated bars of `source` were asked about, and did not confirm.

    A bar's findings go whichever source they are from, for the newest source's bar is the stored one. Bars of a close
    only leave better ones alone, so they take back their own source's findings only.
    """
    bars = checked.accepted[judged(checked.accepted, whole=whole)]
    found = {(one.ticker, one.session, one.kind) for one in checked.findings}
    doubted = [one for one in stored if (one.ticker, one.session, one.kind) not in found]
    ranged = _ranges(bars, {one.session for one in doubted})
    tickers = {WHOLE_SOURCE, *bars["ticker"].unique()}

    def mended(one: StoredFinding) -> bool:
        own = one.source == source
        if one.kind in OF_HISTORY:
            return whole and own and one.ticker in tickers
        moved = ranged.get((one.ticker, one.session))
        return one.kind is not Kind.REPORT_GAP and moved is not None and (own or moved)

    return [one for one in doubted if mended(one)]


def _ranges(bars: pd.DataFrame, sessions: set[date]) -> dict[tuple[str, date], bool]:
    """Whether low and high differ, for each bar of these sessions."""
    wanted = bars[bars["session"].isin(pd.to_datetime(sorted(sessions)))]
    moved = wanted["high"] > wanted["low"]
    return dict(zip(zip(wanted["ticker"], wanted["session"].dt.date, strict=True), moved.tolist(), strict=True))
