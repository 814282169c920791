"""Which findings newer bars take back, and which not."""

from datetime import date, timedelta

import pandas as pd
import pytest

from riskee.market.outdated import confirmed, outdated
from riskee.market.validation import Validated
from riskee.storage.findings import WHOLE_SOURCE, Finding, Kind, StoredFinding
from tests.unit.market.frames import DAYS, NOW, bars

FIRST, SECOND, THIRD, LAST = map(date.fromisoformat, DAYS)


def stored(day: date, kind: Kind, source: str = "file:a.csv", ticker: str = "AAPL") -> StoredFinding:
    return StoredFinding(ticker, day, kind, "x", source, NOW)


def checked(frame: pd.DataFrame, *findings: Finding) -> Validated:
    return Validated(frame, pd.Series(dtype=str), findings)


@pytest.mark.parametrize(
    ("finding", "gone"),
    [
        (stored(THIRD, Kind.SUSPICIOUS_SPLIT), True),
        (stored(THIRD, Kind.SUSPICIOUS_SPLIT, "yahoo"), True),
        (stored(THIRD, Kind.SUSPICIOUS_SPLIT, ticker="IBM"), False),
        (stored(LAST + timedelta(days=3), Kind.GAP), False),
        (stored(THIRD, Kind.REPORT_GAP), False),
        # It was found again.
        (stored(LAST, Kind.ZERO_VOLUME), False),
        # Said of a history: only by the source whose history it is.
        (stored(FIRST, Kind.LATE_LISTING), True),
        (stored(FIRST, Kind.LATE_LISTING, "yahoo"), False),
        (stored(FIRST - timedelta(days=9), Kind.SURVIVORSHIP_BIAS, ticker=WHOLE_SOURCE), True),
        (stored(FIRST - timedelta(days=9), Kind.SURVIVORSHIP_BIAS, "yahoo", WHOLE_SOURCE), False),
    ],
)
def test_what_newer_bars_do_not_confirm_is_gone(finding: StoredFinding, gone: bool) -> None:
    found = checked(bars(), Finding("AAPL", LAST, Kind.ZERO_VOLUME, "x"))
    assert outdated([finding], found, "file:a.csv") == [finding] * gone


def test_the_last_days_take_back_nothing_of_their_first_bars_nor_of_histories() -> None:
    findings = [stored(day, Kind.PRICE_SPIKE) for day in (FIRST, SECOND, THIRD)]
    findings.append(stored(THIRD, Kind.SPARSE))
    assert outdated(findings, checked(bars()), "file:a.csv", whole=False) == [findings[2]]


def test_where_another_source_s_bar_stays_its_findings_stay_and_none_is_added() -> None:
    findings = [stored(SECOND, Kind.PRICE_SPIKE), stored(THIRD, Kind.PRICE_SPIKE)]
    found = checked(bars(), Finding("AAPL", THIRD, Kind.ZERO_VOLUME, "x"), Finding("AAPL", THIRD, Kind.SPARSE, "x"))
    overruled = {("AAPL", THIRD)}
    assert outdated(findings, found, "file:a.csv", overruled) == findings[:1]
    assert [one.kind for one in confirmed(found.findings, overruled)] == [Kind.SPARSE]


def test_a_finding_of_an_overruled_bar_confirms_nothing() -> None:
    """The bar of AAPL is another's; what was found in the source's own is no reason to keep what was said of it."""
    kept = stored(THIRD, Kind.ZERO_VOLUME, "yahoo")
    found = checked(bars(), Finding("AAPL", THIRD, Kind.ZERO_VOLUME, "x"))
    assert outdated([kept], found, "file:a.csv", {("AAPL", THIRD)}) == []
