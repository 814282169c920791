"""Which findings newer bars take back, and which not."""

from datetime import date, timedelta

import pandas as pd
import pytest

from riskee.market.outdated import outdated
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


def test_bars_of_a_close_take_back_their_own_source_s_findings_only() -> None:
    closes = checked(bars(high=10.5, low=10.5))
    own, other = stored(THIRD, Kind.PRICE_SPIKE), stored(THIRD, Kind.PRICE_SPIKE, "yahoo")
    assert outdated([own, other], closes, "file:a.csv") == [own]
