"""Daily bars as LEAN stores them: a zip with one headless CSV, prices in ten-thousandths of a dollar, not adjusted."""

import re
import zipfile
from pathlib import Path, PurePosixPath

import pandas as pd

from riskee.errors import PoisonError

_COLUMNS = ("session", "open", "high", "low", "close", "volume")
_UNIT = 10_000
# 20131001 00:00, in New York. Minute and second files have milliseconds since midnight in its place.
_MOMENT = re.compile(r"\d{8} \d\d:\d\d")


def read_lean(path: Path) -> pd.DataFrame:
    """The bars with canonical columns, prices in dollars; the ticker is the name of the CSV.

    Raises PoisonError for a zip of something else, zipfile.BadZipFile and ValueError for a damaged one.
    """
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if not name.endswith("/")]
        if len(members) != 1 or not members[0].lower().endswith(".csv"):
            raise PoisonError(
                f"{path} is no zip of LEAN's daily bars: it holds {len(members)} files, not one CSV",
                "unpack it, and import what it holds",
            )
        with archive.open(members[0]) as stream:
            rows = pd.read_csv(stream, header=None, dtype="str", keep_default_na=False, na_values=[""])
    if rows.shape[1] != len(_COLUMNS) or not _MOMENT.fullmatch(str(rows.iloc[0, 0])):
        raise PoisonError(
            f"{path} is no zip of LEAN's daily bars: a row has the columns {', '.join(map(str, rows.iloc[0]))}",
            "LEAN keeps daily bars under equity/usa/daily, as 20131001 00:00,open,high,low,close,volume",
        )
    rows.columns = pd.Index(_COLUMNS)
    numbers = {name: pd.to_numeric(rows[name], errors="coerce") / _UNIT for name in _COLUMNS[1:5]}
    session = pd.to_datetime(rows["session"], format="%Y%m%d %H:%M", errors="coerce")
    return rows.assign(ticker=PurePosixPath(members[0]).stem.upper(), session=session, **numbers)
