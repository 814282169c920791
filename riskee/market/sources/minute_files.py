"""Minute bars of past sessions in files. Needs no pandas: serving plays them.

Two forms are known, side by side in one folder:

- `<TICKER>_1min.csv`: `datetime,open,high,low,close,volume` in New York's time, in any order; a row's time is the end
  of its minute. Prices in dollars.
- `<ticker>/<YYYYMMDD>_trade.zip`, as LEAN stores them: one headless CSV of milliseconds since New York's midnight at
  which the minute begins, and prices in ten-thousandths of a dollar.

Prices are as traded. What lies outside of the session's hours is left out; what is odd but usable is noted.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from riskee.errors import FatalError
from riskee.market.minutes import MINUTE, MinuteBar
from riskee.market.sessions import Session

_NEW_YORK = ZoneInfo("America/New_York")
_CSV_END = "_1min.csv"
_LEAN_UNIT = 10_000


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is no minute bar, with the place where it stands."""

    place: str
    reason: str
    body: str


@dataclass(frozen=True)
class SessionMinutes:
    """The minutes of one session, by ticker and in order of time; the rows that are none; and what is odd."""

    bars: dict[str, tuple[MinuteBar, ...]]
    refused: tuple[RefusedRow, ...] = ()
    notes: tuple[str, ...] = ()

    def reach_the_close(self, session: Session) -> bool:
        """Whether the session was seen to its end."""
        return any(bars[-1].start + MINUTE == session.closes_at for bars in self.bars.values())


@dataclass(frozen=True, slots=True)
class _Row:
    place: str
    cells: list[str]
    bar: MinuteBar


def read_session(folder: Path, session: Session) -> SessionMinutes:
    """What the files of a folder have of one session. Raises FatalError where the folder has no such files."""
    files = dict(_files(folder, session))
    bars: dict[str, tuple[MinuteBar, ...]] = {}
    refused: list[RefusedRow] = []
    notes: list[str] = []
    for ticker, path in files.items():
        rows = list(_read(path, session, refused))
        found = _unique(rows, refused)
        if found:
            bars[ticker] = found
            notes += [f"{ticker}: {note}" for note in _oddities(found, [row.bar for row in rows], session)]
    return SessionMinutes(bars, tuple(refused), tuple(notes))


def _files(folder: Path, session: Session) -> Iterator[tuple[str, Path]]:
    archives = f"*/{session.session_date:%Y%m%d}_trade.zip"
    found = [(path.name.removesuffix(_CSV_END).upper(), path) for path in sorted(folder.glob(f"*{_CSV_END}"))]
    found += [(path.parent.name.upper(), path) for path in sorted(folder.glob(archives))]
    if not found and not any(folder.glob("*/*_trade.zip")):
        raise FatalError(
            f"{folder} has no files of minute bars",
            f"RISKEE_FEED__REPLAY__MINUTES names a folder of <TICKER>{_CSV_END}, or of LEAN's <ticker>/*_trade.zip",
        )
    yield from found


def _read(path: Path, session: Session, refused: list[RefusedRow]) -> Iterator[_Row]:
    """The rows within the session's hours; those that cannot be read are added to `refused`."""
    parse = _parse_lean if path.suffix == ".zip" else _parse_csv
    try:
        for number, cells in _cells(path):
            place = f"{path.name} line {number}"
            try:
                bar = parse(cells, session)
            except (ValueError, IndexError) as error:
                refused.append(RefusedRow(place, str(error), ",".join(cells)))
                continue
            if session.opens_at <= bar.start < session.closes_at:
                yield _Row(place, cells, bar)
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError, csv.Error) as error:
        refused.append(RefusedRow(path.name, f"the file cannot be read: {error}", ""))


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file with their numbers, without a CSV's header."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as stream:
            yield from enumerate(csv.reader(io.TextIOWrapper(stream, "utf-8")), start=1)
        return
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.reader(stream)
        next(rows, None)
        yield from enumerate(rows, start=2)


def _parse_csv(cells: list[str], _session: Session) -> MinuteBar:
    end = datetime.fromisoformat(cells[0]).replace(tzinfo=_NEW_YORK).astimezone(UTC)
    return _bar(end - MINUTE, [float(cell) for cell in cells[1:6]])


def _parse_lean(cells: list[str], session: Session) -> MinuteBar:
    midnight = datetime.combine(session.session_date, time(), _NEW_YORK).astimezone(UTC)
    numbers = [float(cell) / _LEAN_UNIT for cell in cells[1:5]] + [float(cells[5])]
    return _bar(midnight + timedelta(milliseconds=int(cells[0])), numbers)


def _bar(start: datetime, numbers: list[float]) -> MinuteBar:
    open_, high, low, close, volume = numbers
    return MinuteBar(start=start, open=open_, high=high, low=low, close=close, volume=volume).checked()


def _unique(rows: Iterable[_Row], refused: list[RefusedRow]) -> tuple[MinuteBar, ...]:
    """One bar for each minute, in order. Of equal ones the first is kept; of contradicting ones none."""
    by_start: dict[datetime, list[_Row]] = {}
    for row in rows:
        by_start.setdefault(row.bar.start, []).append(row)
    kept = []
    for start in sorted(by_start):
        same = by_start[start]
        if all(row.bar == same[0].bar for row in same):
            kept.append(same[0].bar)
        else:
            refused += [RefusedRow(row.place, "rows contradict each other", ",".join(row.cells)) for row in same]
    return tuple(kept)


def _oddities(bars: tuple[MinuteBar, ...], as_written: list[MinuteBar], session: Session) -> Iterator[str]:
    minutes = round((session.closes_at - session.opens_at) / MINUTE)
    if len(bars) < minutes:
        yield f"{len(bars)} of {minutes} minutes"
    if len(as_written) > len(bars):
        yield f"{len(as_written) - len(bars)} repeated rows"
    starts = [bar.start for bar in as_written]
    if starts != sorted(starts):
        yield "the newest row comes first" if starts == sorted(starts, reverse=True) else "rows out of order"
    if not any(bar.volume for bar in bars):
        yield "no volume at all"
