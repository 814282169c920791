"""From whatever a file calls its columns to the canonical ones."""

import re

import pandas as pd

from riskee.errors import PoisonError
from riskee.market.adjustment import adjustment_factors
from riskee.market.frames import NUMBERS

_ALIASES = {
    "ticker": ("ticker", "symbol", "act_symbol"),
    "session": ("session", "date", "timestamp", "datetime", "session_date", "trading_day"),
    "open": ("open", "open_price"),
    "high": ("high", "high_price"),
    "low": ("low", "low_price"),
    "close": ("close", "close_price"),
    "volume": ("volume", "vol"),
    "adjusted_close": ("adjusted_close", "adj_close", "adjclose", "close_adjusted", "adjusted"),
    "adjustment_factor": ("adjustment_factor", "factor"),
    "dividend": ("dividend", "dividends", "dividend_amount", "cash_dividend"),
    "split": ("split", "splits", "split_coefficient", "stock_splits", "split_factor", "split_ratio"),
}
_CANONICAL = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
_REQUIRED = ("ticker", "session", "open", "high", "low", "close", "volume")
# Z, +00:00 or -0500 after a time of day.
_OFFSET = re.compile(r"(?<=\d:\d\d)(\S*?)(?:Z|[+-]\d\d:?\d\d)$")
NOT_ADJUSTED = "no adjusted close in it: prices are taken as adjusted, so splits and dividends look like moves"
ADJUSTED_BY = "no adjusted close in it: adjusted by its {}, as if its prices were raw"

# 3/4/2012 is two dates, until another row of the column says 3/13/2012.
_SLASHED = r"^(\d{1,2})/(\d{1,2})/\d{4}$"


def canonical_name(column: object) -> str | None:
    """The name that Riskee has for a column, or None for one that it does not know."""
    return _CANONICAL.get(plain_name(column))


def canonical_rows(raw: pd.DataFrame, origin: str) -> pd.DataFrame:
    """The frame with canonical column names; columns that nobody knows stay as they are.

    Raises PoisonError when a column is missing or two columns mean the same.
    """
    names = {column: canonical_name(column) for column in raw.columns}
    known = [name for name in names.values() if name is not None]
    missing = [name for name in _REQUIRED if name not in known]
    if missing:
        raise PoisonError(
            f"{origin} has no column {', '.join(missing)}; it has {', '.join(map(str, raw.columns)) or 'none'}",
            f"name the columns {', '.join(_REQUIRED)}, and adjusted_close where prices are raw",
        )
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        same = [str(column) for column, name in names.items() if name in twice]
        raise PoisonError(f"{origin} has several columns for {', '.join(twice)}: {', '.join(same)}", "keep one of them")
    return raw.rename(columns={column: name for column, name in names.items() if name is not None})


def readable_bars(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Ticker, session and the numbers of canonical rows, NaT and NaN where unreadable; and notes for the reader."""
    number = {name: _numbers(rows[name]) for name in rows.columns if name in {*NUMBERS, "adjusted_close"}}
    notes: tuple[str, ...] = ()
    if "adjustment_factor" in number:
        factor = number["adjustment_factor"]
    elif "adjusted_close" in number:
        factor = number["adjusted_close"] / number["close"]
    else:
        factor = pd.Series(1.0, index=rows.index)
        own = " and ".join(name for name in ("dividend", "split") if name in number)
        notes = (ADJUSTED_BY.format(own) if own else NOT_ADJUSTED,)
    bars = pd.DataFrame(
        {
            "ticker": rows["ticker"].astype("str"),
            "session": _dates(rows["session"]),
            **{name: number[name] for name in ("open", "high", "low", "close", "volume")},
            "adjustment_factor": factor,
            "dividend": _optional(rows, number, "dividend", 0.0),
            "split": _optional(rows, number, "split", 1.0),
        }
    )
    adjusted = {"adjustment_factor", "adjusted_close"} & number.keys()
    return bars if adjusted else bars.assign(adjustment_factor=_own_factors(bars)), notes


def plain_name(column: object) -> str:
    """A column's name in lower case, words joined by one underscore."""
    return re.sub(r"[^a-z0-9]+", "_", str(column).strip().lower()).strip("_")


def _numbers(column: "pd.Series[float]") -> "pd.Series[float]":
    return pd.to_numeric(column, errors="coerce").astype("float64")


def _own_factors(bars: pd.DataFrame) -> "pd.Series[float]":
    """Each ticker's factors by its own dividends and splits. What cannot be right in a row, or stands twice, is left
    out: the row is refused later, and the others' factors must not suffer from it."""
    factors = pd.Series(1.0, index=bars.index)
    known = bars[bars["session"].notna()].sort_values("session", kind="stable")
    once = ~known.duplicated(["ticker", "session"])
    actions = pd.DataFrame(
        {
            "close": known["close"].where(known["close"] > 0),
            "dividend": known["dividend"].where(once & (known["dividend"] > 0), 0.0),
            "split": known["split"].where(once & (known["split"] > 0), 1.0),
            "spin_off": 1.0,
        }
    )
    for rows in known.groupby("ticker").groups.values():
        factors[rows] = adjustment_factors(*(actions.loc[rows, name].to_numpy("float64") for name in actions.columns))
    return factors


def _optional(
    rows: pd.DataFrame, number: dict[str, "pd.Series[float]"], name: str, nothing: float
) -> "pd.Series[float]":
    """The column where there is one; an empty cell means that nothing happened, an unreadable one stays unreadable."""
    if name not in number:
        return pd.Series(nothing, index=rows.index)
    return number[name].mask(rows[name].isna(), nothing)


def _dates(column: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """Naive moments, as written: midnight in New York is the day that it says.

    Text must be ISO 8601, or 3/13/2012 in a column that leaves no doubt which number is the month; a number is no
    date, since its unit would be a guess.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.tz_localize(None).astype("datetime64[us]")
    if pd.api.types.is_numeric_dtype(column):
        return pd.Series(pd.NaT, index=column.index, dtype="datetime64[us]")
    text = column.astype("str").str.strip().str.replace(_OFFSET, r"\1", regex=True)
    return pd.to_datetime(text, errors="coerce", format=_format(text)).astype("datetime64[us]")


def _format(dates: "pd.Series[str]") -> str:
    """That of a column of text: month/day/year only where some day is above 12, and no month is."""
    parts = dates.str.extract(_SLASHED).dropna().astype("int64")
    return "%m/%d/%Y" if not parts.empty and (parts[0] <= 12).all() and (parts[1] > 12).any() else "ISO8601"
