"""Daily bars of an index or a fund: often without a ticker, without a volume, or with nothing but a close."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from riskee.market.frames import PRICES, RawBars
from riskee.market.sources.columns import canonical_name, canonical_rows, readable_bars
from riskee.market.sources.files import read_table, sha256, with_ticker
from riskee.storage.tickers import TickerInfo


@dataclass(frozen=True)
class IndexFile:
    """A file of one or several indices; `ticker` names the one of a file that has no column for it."""

    path: Path
    ticker: str | None = None

    def read(self) -> RawBars:
        """All rows. Raises NotFoundError for a missing file, PoisonError for one that is no table of index values."""
        source = f"file:{self.path.name}"
        table = with_ticker(_completed(read_table(self.path)), self.ticker, str(self.path))
        rows = canonical_rows(table, str(self.path))
        bars, notes = readable_bars(rows)
        indices = tuple(TickerInfo(name, name, True, source) for name in bars["ticker"].unique())
        return RawBars(source, self.path.name, sha256(self.path), rows, bars, indices, notes)


def _completed(table: pd.DataFrame) -> pd.DataFrame:
    """With the columns of a bar: a file of dates and one value has closes, and an index need not have a volume."""
    names = {column: canonical_name(column) for column in table.columns}
    others = [column for column, name in names.items() if name not in {"session", "ticker"}]
    if len(others) == 1 and names[others[0]] in {None, "close", "adjusted_close"}:
        value = table[others[0]]
        table = table.drop(columns=others).assign(**dict.fromkeys(PRICES, value))
    return table if "volume" in names.values() else table.assign(volume=0)
