"""Importing: read a source, check every row, store the good ones, quarantine the others with the reason."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine, text

from riskee.blobs import Blobs
from riskee.clock import Clock
from riskee.ids import import_id
from riskee.market.frames import RawBars
from riskee.market.outdated import confirmed, outdated
from riskee.market.references import merge_reports
from riskee.market.sessions import EARLIEST, Session, exchange_sessions
from riskee.market.sources import Source
from riskee.market.sources.bundled import EARNINGS, earnings_reports, macro_values
from riskee.market.sources.files import FileSource
from riskee.market.sources.index import IndexFile
from riskee.market.validation import Validated, validate
from riskee.storage.bars import BarCounts, overruled_bars, upsert_bars
from riskee.storage.database import database_errors
from riskee.storage.findings import add_findings, read_findings, remove_findings
from riskee.storage.imports import ImportRecord, write_import
from riskee.storage.macro import write_macro
from riskee.storage.quarantine import Rejection, add_rejections
from riskee.storage.sessions import write_sessions
from riskee.storage.tickers import write_tickers

Progress = Callable[[int, int], None]
"""Called with the rows stored so far and the rows to store in all."""

CHUNK_ROWS = 100_000
_CALENDAR_AHEAD = timedelta(days=365)


@dataclass(frozen=True)
class ImportReport:
    """What became of a source's rows: read = accepted + quarantined, accepted = new + changed + unchanged."""

    source: str
    rows_read: int
    bars: BarCounts
    quarantined: dict[str, int]
    # Accepted, but worth a look: how many findings of each kind.
    flags: dict[str, int]
    notes: tuple[str, ...]
    tickers: int
    first: date | None
    last: date | None

    @property
    def rows_accepted(self) -> int:
        return self.bars.new + self.bars.changed + self.bars.unchanged

    @property
    def rows_quarantined(self) -> int:
        return sum(self.quarantined.values())


def import_file(
    engine: Engine, path: Path, clock: Clock, progress: Progress | None = None, ticker: str | None = None
) -> ImportReport:
    """Import a file of daily bars: CSV, Parquet, LEAN's zip. `ticker` is that of a file that does not say it.

    Raises PoisonError for a file that is no table of bars, RetryableError when the database does not answer. Doing it
    again, also after an interruption, stores what is missing and changes nothing else.
    """
    return import_bars(engine, FileSource(path, ticker), clock, progress)


def import_index(
    engine: Engine, path: Path, clock: Clock, progress: Progress | None = None, ticker: str | None = None
) -> ImportReport:
    """Import a file of an index or a fund, which may have closes only; raises as `import_file` does."""
    return import_bars(engine, IndexFile(path, ticker), clock, progress)


def import_bars(engine: Engine, source: Source, clock: Clock, progress: Progress | None = None) -> ImportReport:
    """Import a source's daily bars, one transaction for each chunk of tickers."""
    now = clock.now()
    raw = source.read()
    sessions = exchange_sessions(_first_day(raw), (now + _CALENDAR_AHEAD).date())
    whole = raw.whole
    checked = validate(raw.bars, sessions, now, whole=whole)
    record = ImportRecord(
        import_id(raw.content_sha256, now), raw.source, raw.file_name, raw.content_sha256,
        len(raw.bars), 0, len(checked.reasons), now,
    )  # fmt: skip
    rejections = _rejections(raw, checked, now)
    report = _report(raw, checked)
    good = set(checked.accepted["ticker"].unique())
    known_tickers = [info for info in raw.tickers if info.ticker in good]
    # The rows as the source wrote them are not needed any more, and are half of the memory.
    del raw
    with database_errors():
        with engine.begin() as connection:
            write_import(connection, record)
            add_rejections(connection, rejections)
            known_findings = read_findings(connection)
            write_tickers(connection, known_tickers)
            write_sessions(connection, _since(report.first, sessions))
        of_findings = {(one.ticker, one.session) for one in known_findings}
        of_findings.update((one.ticker, one.session) for one in checked.findings)
        bars, overruled = _store(engine, checked.accepted.assign(source=record.source), record, of_findings, progress)
        with engine.begin() as connection:
            add_findings(connection, confirmed(checked.findings, overruled), record.source, now)
            remove_findings(connection, outdated(known_findings, checked, record.source, overruled, whole=whole))
            # Whoever reads next, reads at once: the planner must not believe that the table is as it was.
            connection.execute(text("ANALYZE market_data"))
    return replace(report, bars=bars)


def import_earnings(engine: Engine, blobs: Blobs, clock: Clock) -> int:
    """Store the bundled report dates of all companies beside those that are known; returns how many were stored."""
    found, now = earnings_reports(blobs), clock.now()
    with database_errors(), engine.begin() as connection:
        merged = merge_reports(connection, found, EARNINGS, now)
        add_rejections(connection, [Rejection(now, EARNINGS, reason, body) for reason, body in merged.refused])
    return len(merged.stored)


def import_macro(engine: Engine, blobs: Blobs) -> int:
    """Store the bundled macroeconomic series; returns how many values there are."""
    found = macro_values(blobs)
    with database_errors(), engine.begin() as connection:
        write_macro(connection, found)
    return len(found)


def import_sessions(engine: Engine, clock: Clock) -> int:
    """Store the exchange's sessions from the first bar to a year ahead; returns how many there are."""
    today = clock.now().date()
    with database_errors(), engine.begin() as connection:
        first = connection.scalar(text("SELECT CAST(min(\"timestamp\") AT TIME ZONE 'UTC' AS date) FROM market_data"))
        sessions = exchange_sessions(first or today, today + _CALENDAR_AHEAD)
        write_sessions(connection, sessions)
    return len(sessions)


def _store(
    engine: Engine,
    accepted: pd.DataFrame,
    record: ImportRecord,
    of_findings: Collection[tuple[str, date]],
    progress: Progress | None,
) -> tuple[BarCounts, set[tuple[str, date]]]:
    """What became of the bars, and of which tickers and sessions with findings another source's bar stays."""
    counts, overruled, stored = BarCounts(), set[tuple[str, date]](), 0
    for chunk in _chunks(accepted):
        with engine.begin() as connection:
            counts += upsert_bars(connection, chunk, record.imported_at)
            overruled |= overruled_bars(connection, of_findings)
            stored += len(chunk)
            write_import(connection, replace(record, rows_accepted=stored))
        if progress is not None:
            progress(stored, len(accepted))
    return counts, overruled


def _chunks(accepted: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Whole tickers together, about CHUNK_ROWS rows each: a ticker's factors are linked over all its rows."""
    rows_through = accepted.groupby("ticker").size().cumsum()
    chunk_of = (rows_through - 1) // CHUNK_ROWS
    for _, chunk in accepted.groupby(accepted["ticker"].map(chunk_of)):
        yield chunk


def _first_day(raw: RawBars) -> date:
    first = raw.bars["session"].min()
    return EARLIEST if pd.isna(first) else max(first.date(), EARLIEST)


def _since(first: date | None, sessions: list[Session]) -> list[Session]:
    return [] if first is None else [session for session in sessions if session.session_date >= first]


def _rejections(raw: RawBars, checked: Validated, now: datetime) -> list[Rejection]:
    if checked.reasons.empty:
        return []
    refused = raw.rows.loc[checked.reasons.index]
    bodies = refused.assign(row=refused.index).to_json(orient="records", lines=True, date_format="iso").splitlines()
    return [Rejection(now, raw.file_name, reason, body) for reason, body in zip(checked.reasons, bodies, strict=True)]


def _report(raw: RawBars, checked: Validated) -> ImportReport:
    accepted = checked.accepted
    return ImportReport(
        source=raw.source,
        rows_read=len(raw.bars),
        bars=BarCounts(),
        quarantined={str(reason): int(rows) for reason, rows in checked.reasons.value_counts().items()},
        flags=dict(Counter(str(finding.kind) for finding in checked.findings)),
        notes=raw.notes,
        tickers=accepted["ticker"].nunique(),
        first=None if accepted.empty else accepted["session"].min().date(),
        last=None if accepted.empty else accepted["session"].max().date(),
    )
