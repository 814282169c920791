"""Quarterly reports in files: dates in SQLite, or dates with estimated and reported EPS in CSV."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pandas as pd

from riskee.errors import NotFoundError, PoisonError
from riskee.market.sources.files import read_table
from riskee.market.sources.rows import ParsedFile, UnreadableError, choose_columns, day_of, parse_rows, ticker_of
from riskee.storage.calendar import Report

# Companies announce the date of a report about two weeks before it. No source has the announcement, so this is assumed.
REPORT_DATE_KNOWN = timedelta(days=14)
# The sources list a company under its present ticker only; the prices have these names, too.
_SAME_COMPANY = {"META": "FB", "GOOG": "GOOGL"}
_DATABASES = (".db", ".sqlite", ".sqlite3")
_COLUMNS = {
    "symbol": ("ticker",),
    "earnings_date": ("report_date", "date"),
    "eps_estimate": (),
    "reported_eps": ("eps_reported",),
}
# In a quarter no share earns so much, but for one that nobody splits: a cell beyond it is an error in writing.
_ABSURD = 1000.0
_NOTHING = frozenset({"", "-", "nan", "none", "n/a"})


def read_reports(path: Path) -> ParsedFile[Report]:
    """All reports of the file. The surprise is not read: it follows from the two EPS, and files have absurd ones.

    Raises NotFoundError for a missing file, PoisonError for one that is no table of reports.
    """
    source = f"file:{path.name}"

    def report(symbol: str, day: str, estimate: str, reported: str) -> Report:
        on = day_of(day)
        known_at = datetime.combine(on - REPORT_DATE_KNOWN, time(), UTC)
        return Report(ticker_of(symbol), on, known_at, source, _eps(estimate, "estimated"), _eps(reported, "reported"))

    if path.name.lower().endswith(_DATABASES):
        rows = _database(path)
    else:
        rows = choose_columns(read_table(path), path, _COLUMNS, optional=("eps_estimate", "reported_eps"))
    return parse_rows(path, rows, report, key=lambda report: (report.ticker, report.report_date))


def with_former_names(reports: Iterable[Report]) -> list[Report]:
    """The reports, and those of a company whose prices may go by another ticker under that one, too."""
    return [
        replace(one, ticker=name)
        for one in reports
        for name in dict.fromkeys((one.ticker, _SAME_COMPANY.get(one.ticker, one.ticker)))
    ]


def _eps(text: str, which: str) -> float | None:
    if text.lower() in _NOTHING:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise UnreadableError(f"{which} EPS is not a number") from error
    if not abs(value) <= _ABSURD:
        raise UnreadableError(f"{which} EPS is beyond {_ABSURD:g}")
    return value


def _database(path: Path) -> pd.DataFrame:
    """Ticker and date of the table `earnings` of an SQLite file. Raises NotFoundError, PoisonError."""
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}", "check the path")
    try:
        # Read-only, also where the folder may not be written.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            # SQLite holds anything in any column; what is no text is refused row by row.
            connection.text_factory = _decoded
            rows = connection.execute("SELECT DISTINCT Ticker, Earnings_Date FROM earnings ORDER BY 1, 2").fetchall()
    except sqlite3.DatabaseError as error:
        raise PoisonError(
            f"{path} is no database of report dates: {error}", "delete it and fetch it again; `riskee up` does"
        ) from error
    cells = [(*(_decoded(cell) if isinstance(cell, bytes) else cell for cell in row), "", "") for row in rows]
    return pd.DataFrame(cells, columns=list(_COLUMNS), dtype="object")


def _decoded(cell: bytes) -> str:
    return cell.decode(errors="replace")
