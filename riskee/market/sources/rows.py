"""Tables that are read row by row: report dates, members, companies. No row that cannot be right is lost."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd

from riskee.errors import PoisonError
from riskee.market.sources.columns import plain_name
from riskee.market.sources.files import sha256
from riskee.messaging.messages import TICKER_PATTERN

T = TypeVar("T")
_TICKER = re.compile(TICKER_PATTERN)
# The New York Stock Exchange is from 1792: what comes before is an error in writing.
_FIRST = date(1792, 5, 17)


class UnreadableError(ValueError):
    """A row that cannot be right; the text says why."""


@dataclass(frozen=True)
class ParsedFile(Generic[T]):
    """What a file's rows say, and for each row that is refused why, with what it said."""

    source: str
    file_name: str
    content_sha256: str
    rows_read: int
    entries: tuple[T, ...]
    refused: tuple[tuple[str, str], ...]


def parse_rows(path: Path, rows: pd.DataFrame, parse: Callable[..., T], key: Callable[[T], object]) -> ParsedFile[T]:
    """Each row's cells, as stripped text, parsed into an entry; of two with the same key the first counts.

    `parse` raises UnreadableError where it cannot.
    """
    found: dict[object, T] = {}
    refused: list[tuple[str, str]] = []
    cells = pd.DataFrame({name: _text(rows[name]) for name in rows.columns})
    for row in cells.itertuples(index=False, name=None):
        try:
            entry = parse(*row)
        except UnreadableError as error:
            refused.append((str(error), ",".join(row)))
            continue
        if found.setdefault(key(entry), entry) is not entry:
            refused.append(("an earlier row says the same, or contradicts it", ",".join(row)))
    return ParsedFile(f"file:{path.name}", path.name, sha256(path), len(rows), tuple(found.values()), tuple(refused))


def _text(cells: "pd.Series[Any]") -> "pd.Series[str]":
    """Empty where there is nothing, whatever the column's type is."""
    return cells.astype("str").where(cells.notna(), "").str.strip()


def choose_columns(
    table: pd.DataFrame, path: Path, wanted: Mapping[str, tuple[str, ...]], optional: tuple[str, ...] = ()
) -> pd.DataFrame:
    """The wanted columns under their own names, whichever of their other names they go by; optional ones may be empty.

    Raises PoisonError where one is missing.
    """
    columns = {plain_name(column): column for column in table.columns}
    found = {name: next((columns[one] for one in (name, *of) if one in columns), None) for name, of in wanted.items()}
    missing = [name for name, column in found.items() if column is None and name not in optional]
    if missing:
        raise PoisonError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}",
            f"name the columns {', '.join(wanted)}",
        )
    chosen = {name: "" if column is None else table[column] for name, column in found.items()}
    return pd.DataFrame(chosen, index=table.index)


def ticker_of(text: str) -> str:
    """The ticker, if it is spelt like one. Raises UnreadableError."""
    if not _TICKER.fullmatch(text):
        raise UnreadableError("malformed ticker")
    return text


def day_of(text: str) -> date:
    """The date of an ISO 8601 text. Raises UnreadableError."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UnreadableError("date cannot be read: write it as 2012-01-31") from error
    if day < _FIRST:
        raise UnreadableError(f"date before {_FIRST}")
    return day
