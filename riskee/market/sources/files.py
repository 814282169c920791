"""Tables in files: CSV, Parquet, LEAN's zips; and those of daily bars as a source."""

import glob
import hashlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from riskee.errors import NotFoundError, PoisonError
from riskee.market.frames import RawBars
from riskee.market.sources.columns import canonical_name, canonical_rows, readable_bars
from riskee.market.sources.lean import read_lean


def _read_csv(path: Path) -> pd.DataFrame:
    # All as text, so that quarantine shows what the file said. A share may be listed as NA or TRUE: only an empty
    # cell is a missing value.
    return pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""], skipinitialspace=True)


def _read_parquet(path: Path) -> pd.DataFrame:
    # Escaped: DuckDB would read every file that the name matches as a pattern.
    with duckdb.connect() as connection:
        frame: pd.DataFrame = connection.read_parquet(glob.escape(str(path))).df()
    return frame


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".zip": read_lean,
}


@dataclass(frozen=True)
class FileSource:
    """A file with one row for each ticker and session; its name becomes the rows' source.

    `ticker` is that of all rows, for a file without a column that says it.
    """

    path: Path
    ticker: str | None = None

    def read(self) -> RawBars:
        """All rows. Raises NotFoundError for a missing file, PoisonError for one that is no table of bars."""
        table = with_ticker(read_table(self.path), self.ticker, str(self.path))
        rows = canonical_rows(table, str(self.path))
        bars, notes = readable_bars(rows)
        return RawBars(f"file:{self.path.name}", self.path.name, sha256(self.path), rows, bars, notes=notes)


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a file, numbered from 0; of a CSV as text. Its kind is told by the end of its name.

    Raises NotFoundError for a missing file, PoisonError for one that is empty, damaged or of an unknown kind.
    """
    name = path.name.lower()
    reader = next((read for suffix, read in _READERS.items() if name.endswith(suffix)), None)
    if reader is None:
        raise PoisonError(f"{path} is neither CSV nor Parquet", f"its name must end in {', '.join(_READERS)}")
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}", "check the path")
    if path.stat().st_size == 0:
        raise PoisonError(f"{path} is empty", "export the data again")
    try:
        table = reader(path)
    except PermissionError as error:
        raise PoisonError(f"{path} may not be read by this user", "change the file's rights") from error
    except (duckdb.Error, ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        # pandas' parser errors are ValueErrors; a damaged gzip is an OSError, EOFError or zlib.error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PoisonError(
            f"{path} cannot be read: {reason}", "the file is damaged or of another kind; fetch it again"
        ) from error
    if table.empty:
        raise PoisonError(f"{path} has no rows", "export the data again")
    return table.reset_index(drop=True)


def with_ticker(table: pd.DataFrame, ticker: str | None, origin: str) -> pd.DataFrame:
    """The table with a column of the ticker, where one is given. Raises PoisonError where the table has its own."""
    if ticker is None:
        return table
    if any(canonical_name(column) == "ticker" for column in table.columns):
        raise PoisonError(f"{origin} says itself which ticker each row is of", "leave --ticker away")
    return table.assign(ticker=ticker)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
