"""The columns of daily bars on their way into the database, whatever file or package they come from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    and the numbers, NaT and NaN where a value could not be read. Both have the same index.
    """

    source: str
    file_name: str
    content_sha256: str
    rows: "pd.DataFrame"
    bars: "pd.DataFrame"
    notes: tuple[str, ...] = ()
