"""`earnings_calls`: the record of each report, with the price's reaction.

They are made from the calendar's dates, not from transcripts; each document says so. Whether a report came before the
open or after the close is not known either, so both the session of the report and the next one are given, and the
document can be known after the second.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from riskee import ids
from riskee.documents.document import Document
from riskee.documents.history import History
from riskee.documents.wording import day, moved, percent
from riskee.market.bars import Dates

EARLIER_REPORTS = 4


def earnings_calls(
    stocks: Sequence[History],
    reports: Mapping[str, Dates],
    sources: Mapping[tuple[str, date], str],
    since: date,
    per_ticker: int,
) -> list[Document]:
    """The last `per_ticker` reports of each ticker from `since` on whose reaction is over.

    `sources` names where the report of each ticker and date is from.
    """
    documents = []
    for history in stocks:
        positions = _report_positions(history, reports.get(history.ticker, np.empty(0, dtype="datetime64[D]")))
        recent = [index for index, (report, _) in enumerate(positions) if report >= since]
        for index in recent[-per_ticker:]:
            report, at = positions[index]
            earlier = [at for _, at in positions[max(0, index - EARLIER_REPORTS) : index]]
            documents.append(_document(history, report, at, earlier, sources[history.ticker, report]))
    return documents


def _report_positions(history: History, reports: Dates) -> list[tuple[date, int]]:
    """Each report with the position of its session (the first on or after it), where the next session exists too."""
    found = []
    for report in np.unique(reports).astype("datetime64[D]").tolist():
        at = history.first_at(report)
        if 0 < at < len(history.sessions) - 1:
            found.append((report, at))
    return found


def _reaction(history: History, at: int) -> float:
    """Log return over the report's session and the next."""
    return float(history.move[at] + history.move[at + 1])


def _document(history: History, report: date, at: int, earlier: Sequence[int], source: str) -> Document:
    ticker = history.ticker
    usual = ""
    if earlier:
        mean = float(np.mean([abs(_reaction(history, position)) for position in earlier]))
        usual = f" Mean size of this two-session move at earlier reports ({len(earlier)}): {percent(mean)}."
    return Document(
        document_id=ids.document_id("earnings_calls", source, f"{ticker}:{report.isoformat()}"),
        collection="earnings_calls",
        ticker=ticker,
        title=f"{ticker} reported results on {day(report)}",
        body=f"Record of the report and the price's reaction, not its transcript. {ticker} "
        f"{moved(float(history.move[at]))} in the session of the report and {moved(float(history.move[at + 1]))} "
        f"in the next, together it {moved(_reaction(history, at))}.{usual}",
        source=source,
        published_at=history.closed_at[at],
        known_at=history.closed_at[at + 1],
    )
