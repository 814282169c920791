"""The columns of daily bars on their way into the database, whatever file or package they come from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from riskee.storage.tickers import TickerInfo

if TYPE_CHECKING:
    import pandas as pd

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume", "adjustment_factor", "dividend", "split")
# ticker: text; session: naive midnight; the numbers: float64, raw prices; source: text; known_at: UTC
BAR_COLUMNS = ("ticker", "session", *NUMBERS, "source", "known_at")


@dataclass(frozen=True)
class RawBars:
    """Unchecked bars of one source.

    `rows` is what the source wrote, with canonical column names; `bars` is what could be read of it: ticker, session
    and the numbers, NaT and NaN where a value could not be read. Both have the same index. `tickers` is what the source
    knows of them; a ticker that it does not describe goes by its symbol. `notes` is for the person who imports. `whole`
    says that this is all that the source has of its tickers, not some days of each.
    """

    source: str
    file_name: str
    content_sha256: str
    rows: "pd.DataFrame"
    bars: "pd.DataFrame"
    tickers: tuple[TickerInfo, ...] = ()
    notes: tuple[str, ...] = ()
    whole: bool = True
