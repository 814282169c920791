"""The earnings calendar in the database."""

import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime

import numpy as np
from psycopg import sql
from sqlalchemy import Connection, case, func, select, text
from sqlalchemy.dialects.postgresql import insert

from riskee.market.reports import Reports
from riskee.storage.arrays import read_arrays
from riskee.storage.tables import earnings_calendar

# A row a ticker, for the driver takes rows one by one.
_REPORTS = sql.SQL("""
    SELECT CAST(wanted.number AS float8), reports.*
    FROM unnest(CAST({tickers} AS text[])) WITH ORDINALITY AS wanted (ticker, number)
    CROSS JOIN LATERAL (
        SELECT
            array_agg(CAST(report_date - DATE '1970-01-01' AS float8) ORDER BY report_date),
            array_agg(CAST(extract(EPOCH FROM known_at) * 1000000 AS float8) ORDER BY report_date),
            array_agg(COALESCE(eps_estimate, 'NaN') ORDER BY report_date),
            array_agg(COALESCE(eps_reported, 'NaN') ORDER BY report_date)
        FROM earnings_calendar
        WHERE ticker = wanted.ticker
        HAVING count(*) > 0
    ) AS reports
""")
_COLUMNS = 4
# Neither table says when a row was changed. The sum does not depend on the order of the rows.
_MARK = text("""
    SELECT concat_ws(
        ' ',
        (
            SELECT concat(count(*), ':', sum(hashtextextended(CAST(report AS text), 0)))
            FROM earnings_calendar AS report
        ),
        (
            SELECT concat(count(*), ':', sum(hashtextextended(CAST(trading_day AS text), 0)))
            FROM trading_sessions AS trading_day
        )
    )
""")


@dataclass(frozen=True, slots=True)
class Report:
    """One quarterly report of a company; `known_at` is when its date was known, in UTC. EPS are in currency.

    Raises ValueError for an EPS that is no number: None says that there is none.
    """

    ticker: str
    report_date: date
    known_at: datetime
    source: str
    eps_estimate: float | None = None
    eps_reported: float | None = None

    def __post_init__(self) -> None:
        if not all(eps is None or math.isfinite(eps) for eps in (self.eps_estimate, self.eps_reported)):
            raise ValueError(f"the EPS of {self.ticker} on {self.report_date} is no number")


def write_reports(connection: Connection, reports: Iterable[Report]) -> None:
    """Add the reports. A known one takes the new figures, keeps what the new one is without, and counts as known from
    the earlier of the two moments; its source is that of its result, where it has one."""
    rows = [asdict(report) for report in reports]
    if not rows:
        return
    statement = insert(earnings_calendar)
    new, kept = statement.excluded, earnings_calendar.c
    changed = {
        "known_at": func.least(new.known_at, kept.known_at),
        "eps_estimate": func.coalesce(new.eps_estimate, kept.eps_estimate),
        "eps_reported": func.coalesce(new.eps_reported, kept.eps_reported),
        "source": case((new.eps_reported.is_(None) & kept.eps_reported.is_not(None), kept.source), else_=new.source),
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["ticker", "report_date"], set_=changed), rows)


def reports(connection: Connection, only: Collection[str] | None = None) -> dict[str, Reports]:
    """The reports of every ticker, or of those in `only`, that has any."""
    listed = connection.scalars(select(earnings_calendar.c.ticker).distinct()) if only is None else only
    tickers = sorted(listed)
    found = {}
    for number, (day, known, estimate, reported) in read_arrays(
        connection, _REPORTS.format(tickers=sql.Literal(tickers)), _COLUMNS
    ):
        moments = known.astype(np.int64).astype("datetime64[us]")
        found[tickers[number - 1]] = Reports(day.astype(np.int64).astype("datetime64[D]"), moments, estimate, reported)
    return found


def calendar_mark(connection: Connection) -> str:
    """A text that is another one once a report or a trading session was added, changed or removed."""
    return str(connection.scalar(_MARK))
