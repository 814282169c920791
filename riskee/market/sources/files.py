"""Daily bars in a CSV or Parquet file."""

import glob
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from riskee.errors import NotFoundError, PoisonError
from riskee.market.frames import RawBars
from riskee.market.sources.columns import canonical_rows, readable_bars


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
}


@dataclass(frozen=True)
class FileSource:
    """A file with one row for each ticker and session; its name becomes the rows' source."""

    path: Path

    def read(self) -> RawBars:
        """All rows. Raises NotFoundError for a missing file, PoisonError for one that is no table of bars."""
        raw = self._table()
        if raw.empty:
            raise PoisonError(f"{self.path} has no rows", "export the data again")
        rows = canonical_rows(raw.reset_index(drop=True), str(self.path))
        bars, notes = readable_bars(rows)
        return RawBars(f"file:{self.path.name}", self.path.name, _sha256(self.path), rows, bars, notes=notes)

    def _table(self) -> pd.DataFrame:
        name = self.path.name.lower()
        reader = next((read for suffix, read in _READERS.items() if name.endswith(suffix)), None)
        if reader is None:
            raise PoisonError(f"{self.path} is neither CSV nor Parquet", f"its name must end in {', '.join(_READERS)}")
        if not self.path.is_file():
            raise NotFoundError(f"there is no file {self.path}", "check the path")
        if self.path.stat().st_size == 0:
            raise PoisonError(f"{self.path} is empty", "export the data again")
        try:
            return reader(self.path)
        except PermissionError as error:
            raise PoisonError(f"{self.path} may not be read by this user", "change the file's rights") from error
        except (duckdb.Error, ValueError, OSError, EOFError, zlib.error) as error:
            # pandas' parser errors are ValueErrors; a damaged gzip is an OSError, EOFError or zlib.error
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise PoisonError(
                f"{self.path} cannot be read: {reason}", "the file is damaged or of another kind; fetch it again"
            ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
