"""What part of an incremental model a run has to compute."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

BEGINNING = date.min
# Stands for all values of `split_by`.
ALL = ""


Changes = dict[str, date]
"""From which day on something has changed, by the value of `split_by`; under ALL for every value."""


def merged(first: Changes, second: Mapping[str, date]) -> Changes:
    """Both, each from its earlier day on."""
    return first | {key: min(day, first.get(key, day)) for key, day in second.items()}


@dataclass(frozen=True)
class Window:
    """The days of an explicit run, both included; None is unbounded."""

    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        return self.since is not None or self.until is not None


@dataclass(frozen=True)
class Part:
    """Rows to compute: from a day on, to a day, of these values of `split_by` (None: of all but `without`)."""

    since: date
    until: date = date.max
    keys: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.keys is None:
            whose = "everything" if not self.without else f"all but {len(self.without)}"
        else:
            whose = ", ".join(self.keys) if len(self.keys) <= 3 else f"{len(self.keys)} slices"
        since = "" if self.since == BEGINNING else f" from {self.since}"
        return f"{whose}{since}" + ("" if self.until == date.max else f" to {self.until}")


EVERYTHING: tuple[Part, ...] = (Part(BEGINNING),)


def parts(changes: Changes, window: Window, looks_ahead: int) -> tuple[Part, ...]:
    """Disjoint parts that cover what changed and what the window asks for."""
    changes = {key: _earlier(day, looks_ahead) for key, day in changes.items()}
    common = None
    if window:
        since, until = window.since or BEGINNING, window.until or date.max
        common = Part(min(since, changes[ALL]), date.max) if ALL in changes else Part(since, until)
    elif ALL in changes:
        common = Part(changes[ALL])
    apart = {key: day for key, day in changes.items() if key != ALL and not _within(day, common)}
    if common is not None and apart:
        since = common.since
        apart = {key: min(day, since) for key, day in apart.items()}
        common = Part(since, common.until, without=tuple(sorted(apart)))
    return (*((common,) if common else ()), *_by_day(apart))


def _within(day: date, common: Part | None) -> bool:
    return common is not None and common.until == date.max and day >= common.since


def _by_day(changes: Mapping[str, date]) -> Iterable[Part]:
    for day in sorted(set(changes.values())):
        yield Part(day, keys=tuple(sorted(key for key, since in changes.items() if since == day)))


def _earlier(day: date, days: int) -> date:
    return day - timedelta(days) if (day - BEGINNING).days > days else BEGINNING
