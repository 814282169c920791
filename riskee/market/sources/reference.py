"""Who was in an index, and what companies are called and do: CSV and Parquet files."""

from pathlib import Path

from riskee.market.sources.files import read_table
from riskee.market.sources.rows import ParsedFile, UnreadableError, choose_columns, day_of, parse_rows, ticker_of
from riskee.storage.membership import Membership
from riskee.storage.tickers import Company

_STAY = {
    "symbol": ("ticker",),
    "joined": ("opt_in", "date_added", "start_date"),
    "left": ("opt_out", "date_removed", "end_date"),
}
_COMPANY = {
    "symbol": ("ticker",),
    "name": ("security", "company", "company_name"),
    "sector": ("gics_sector",),
}


def read_membership(path: Path, index_name: str) -> ParsedFile[Membership]:
    """The stays in an index. Raises NotFoundError for a missing file, PoisonError for one that has no such table."""
    source = f"file:{path.name}"

    def stay(symbol: str, joined: str, left: str) -> Membership:
        first, last = day_of(joined), day_of(left) if left else None
        if last is not None and last < first:
            raise UnreadableError("left before it joined")
        return Membership(index_name, ticker_of(symbol), first, last, source)

    rows = choose_columns(read_table(path), path, _STAY)
    return parse_rows(path, rows, stay, key=lambda stay: (stay.ticker, stay.joined))


def read_companies(path: Path) -> ParsedFile[Company]:
    """Names and sectors. Raises NotFoundError for a missing file, PoisonError for one that has no such table."""

    def company(symbol: str, name: str, sector: str) -> Company:
        if not (name and sector):
            raise UnreadableError("no name or no sector")
        return Company(ticker_of(symbol), name, sector)

    rows = choose_columns(read_table(path), path, _COMPANY)
    return parse_rows(path, rows, company, key=lambda company: company.ticker)
