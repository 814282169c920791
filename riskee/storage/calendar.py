"""The earnings calendar in the database."""

import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby

import numpy as np
from sqlalchemy import ARRAY, Connection, Text, any_, case, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert

from riskee.market.reports import Reports
from riskee.storage.tables import earnings_calendar

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
    table = earnings_calendar.c
    query = select(
        table.ticker,
        table.report_date,
        func.timezone("UTC", table.known_at),
        table.eps_estimate,
        table.eps_reported,
    ).order_by(table.ticker, table.report_date)
    if only is not None:
        query = query.where(table.ticker == any_(literal(list(only), ARRAY(Text))))
    found = {}
    for ticker, rows in groupby(connection.execute(query), key=lambda row: row.ticker):
        _, days, known, estimates, results = zip(*rows, strict=True)
        found[ticker] = Reports(
            np.array(days, "datetime64[D]"),
            np.array(known, "datetime64[us]"),
            np.array(estimates, np.float64),
            np.array(results, np.float64),
        )
    return found


def calendar_mark(connection: Connection) -> str:
    """A text that is another one once a report or a trading session was added, changed or removed."""
    return str(connection.scalar(_MARK))
