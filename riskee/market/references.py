"""Importing what is known beside bars: report dates with EPS, members of an index, names and sectors."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from riskee.clock import Clock
from riskee.ids import import_id
from riskee.market.report_dates import reconcile, report_gaps
from riskee.market.sources.earnings import read_reports, with_former_names
from riskee.market.sources.reference import read_companies, read_membership
from riskee.market.sources.rows import ParsedFile
from riskee.storage.calendar import Report, reports, write_reports
from riskee.storage.database import database_errors
from riskee.storage.findings import Finding, Kind, add_findings, read_findings, remove_findings
from riskee.storage.imports import ImportRecord, write_import
from riskee.storage.membership import write_membership
from riskee.storage.quarantine import Rejection, add_rejections
from riskee.storage.tickers import describe_tickers

Refused = Sequence[tuple[str, str]]
"""For each refused row, why it is, and what it said."""


@dataclass(frozen=True)
class ReferenceReport:
    """What became of a file's rows: read + doubled = stored + quarantined, and what the notes tell of."""

    source: str
    rows_read: int
    rows_stored: int
    quarantined: dict[str, int]
    # Stored, but worth a look: how many findings of each kind.
    flags: dict[str, int]
    notes: tuple[str, ...]
    # Rows of a company that has two tickers: they were read once, and count under each.
    rows_doubled: int = 0


def import_reports(engine: Engine, path: Path, clock: Clock) -> ReferenceReport:
    """Import report dates, with EPS where the file has them, beside the dates that are known already.

    Raises PoisonError for a file of something else, RetryableError when the database does not answer.
    """
    found = read_reports(path)
    incoming, now = with_former_names(found.entries), clock.now()
    flags: dict[str, int] = {}

    def store(connection: Connection) -> tuple[int, Refused]:
        merged = merge_reports(connection, incoming, found.source, now)
        flags.update(Counter(str(gap.kind) for gap in merged.gaps))
        return len(merged.stored), merged.refused

    report = _import(engine, found, now, store, flags=flags)
    return replace(report, rows_doubled=len(incoming) - len(found.entries))


@dataclass(frozen=True)
class MergedReports:
    """The reports that were stored, those refused as too near to another, and what the tickers' calendars now lack."""

    stored: list[Report]
    refused: Refused
    gaps: list[Finding]


def merge_reports(
    connection: Connection, incoming: Collection[Report], source: str, found_at: datetime
) -> MergedReports:
    """Store the reports beside those that are known already, and the gaps of their tickers instead of the former."""
    known = {ticker: set(of.date.tolist()) for ticker, of in reports(connection).items()}
    wanted, near = reconcile(incoming, known)
    write_reports(connection, wanted)
    calendars = {one.ticker: known.get(one.ticker, set()) for one in incoming}
    for one in wanted:
        calendars[one.ticker].add(one.report_date)
    gaps = list(report_gaps(calendars))
    _replace_gaps(connection, calendars.keys(), gaps, source, found_at)
    return MergedReports(wanted, [("less than 30 days from another report", _said(report)) for report in near], gaps)


def _replace_gaps(
    connection: Connection, tickers: Collection[str], gaps: list[Finding], source: str, found_at: datetime
) -> None:
    stay = {(gap.ticker, gap.session) for gap in gaps}
    former = [one for one in read_findings(connection) if one.kind is Kind.REPORT_GAP and one.ticker in tickers]
    remove_findings(connection, [one for one in former if (one.ticker, one.session) not in stay])
    add_findings(connection, gaps, source, found_at)


def import_membership(engine: Engine, path: Path, index_name: str, clock: Clock) -> ReferenceReport:
    """Import who was in an index. Raises as `import_reports` does."""
    found = read_membership(path, index_name)

    def store(connection: Connection) -> tuple[int, Refused]:
        write_membership(connection, found.entries)
        return len(found.entries), ()

    return _import(engine, found, clock.now(), store)


def import_companies(engine: Engine, path: Path, clock: Clock) -> ReferenceReport:
    """Import names and sectors of the tickers that are known; others are not added. Raises as `import_reports` does."""
    found = read_companies(path)

    def store(connection: Connection) -> tuple[int, Refused]:
        return describe_tickers(connection, found.entries), ()

    report = _import(engine, found, clock.now(), store)
    unknown = len(found.entries) - report.rows_stored
    notes = (f"{unknown} of its tickers have no bars here: they were passed over",) if unknown else ()
    return replace(report, notes=notes)


def _import(
    engine: Engine,
    found: ParsedFile[Any],
    now: datetime,
    store: Callable[[Connection], tuple[int, Refused]],
    flags: dict[str, int] | None = None,
) -> ReferenceReport:
    """Store a file's entries, the rows refused and the record of it in one transaction."""
    with database_errors(), engine.begin() as connection:
        stored, refused_here = store(connection)
        refused = [*found.refused, *refused_here]
        add_rejections(connection, [Rejection(now, found.file_name, reason, body) for reason, body in refused])
        write_import(
            connection,
            ImportRecord(
                import_id(found.content_sha256, now), found.source, found.file_name, found.content_sha256,
                found.rows_read, stored, len(refused), now,
            ),
        )  # fmt: skip
    reasons = Counter(reason for reason, _ in refused)
    return ReferenceReport(found.source, found.rows_read, stored, dict(reasons), flags or {}, ())


def _said(report: Report) -> str:
    figures = (report.eps_estimate, report.eps_reported)
    return ",".join([report.ticker, report.report_date.isoformat(), *("" if x is None else f"{x:g}" for x in figures)])
