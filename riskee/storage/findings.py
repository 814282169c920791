"""What is odd in stored bars: kept, named, and shown until the bars are mended."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, func, select

from riskee.ids import finding_id
from riskee.storage.tables import data_findings
from riskee.storage.upsert import upsert

# The ticker of a finding about a source as a whole; no ticker is spelt so.
WHOLE_SOURCE = "*"


class Kind(StrEnum):
    """What can be odd. Those in `DOUBTFUL` mean that a number may be wrong; the others say what a history is not."""

    SUSPICIOUS_SPLIT = "suspicious_split"
    SUSPICIOUS_FACTOR = "suspicious_factor"
    SPIN_OFF_RATIO = "spin_off_ratio"
    PRICE_SPIKE = "price_spike"
    PRICE_JUMP = "price_jump"
    ZERO_VOLUME = "zero_volume"
    NO_VOLUME = "no_volume"
    CLOSE_ONLY = "close_only"
    GAP = "gap"
    SPARSE = "sparse"
    LATE_LISTING = "late_listing"
    EARLY_END = "early_end"
    SURVIVORSHIP_BIAS = "survivorship_bias"
    REPORT_GAP = "report_gap"


DOUBTFUL = frozenset({Kind.SUSPICIOUS_SPLIT, Kind.SUSPICIOUS_FACTOR, Kind.PRICE_SPIKE, Kind.ZERO_VOLUME, Kind.GAP})

# Said of a source's whole history, not of one bar.
OF_HISTORY = frozenset(
    {Kind.NO_VOLUME, Kind.CLOSE_ONLY, Kind.SPARSE, Kind.LATE_LISTING, Kind.EARLY_END, Kind.SURVIVORSHIP_BIAS}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One oddity of a ticker's session; of a whole history it stands at the session where that begins or ends."""

    ticker: str
    session: date
    kind: Kind
    detail: str


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding, with the source that it was found in and when it was found first."""

    ticker: str
    session: date
    kind: Kind
    detail: str
    source: str
    found_at: datetime


def add_findings(connection: Connection, findings: Iterable[Finding], source: str, found_at: datetime) -> None:
    """Write the findings down. One that is known keeps its first moment, and takes the new detail and source."""
    rows = {
        finding_id(one.ticker, one.session, one.kind): {
            "ticker": one.ticker, "session_date": one.session, "kind": one.kind.value, "detail": one.detail,
            "source": source, "found_at": found_at,
        }
        for one in findings
    }  # fmt: skip
    named = [{"finding_id": identity, **row} for identity, row in rows.items()]
    upsert(connection, data_findings, named, ("finding_id",), ("detail", "source"))


def remove_findings(connection: Connection, findings: Collection[StoredFinding]) -> None:
    """Take findings back that are not true any more."""
    if findings:
        gone = [{"gone": finding_id(one.ticker, one.session, one.kind)} for one in findings]
        connection.execute(delete(data_findings).where(data_findings.c.finding_id == bindparam("gone")), gone)


def read_findings(connection: Connection, ticker: str | None = None) -> list[StoredFinding]:
    """All findings, or a ticker's, by kind, ticker and session."""
    table = data_findings.c
    query = select(table.ticker, table.session_date, table.kind, table.detail, table.source, table.found_at)
    if ticker is not None:
        query = query.where(table.ticker == ticker)
    rows = connection.execute(query.order_by(table.kind, table.ticker, table.session_date))
    return [StoredFinding(name, day, Kind(kind), *rest) for name, day, kind, *rest in rows]


def count_findings(connection: Connection) -> dict[Kind, int]:
    """How many findings there are of each kind."""
    kind = data_findings.c.kind
    rows = connection.execute(select(kind, func.count()).group_by(kind).order_by(kind))
    return {Kind(name): count for name, count in rows}
