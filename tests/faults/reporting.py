"""The results of a run of the fault tests: a table to read and a file to keep."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.faults.recovery import Recovery, percentile


class Result(msgspec.Struct, frozen=True):
    """One scenario. Recoveries in seconds; `bar` None: none is asked for. `slowness` multiplies the bar."""

    name: str
    seconds: float
    accepted: int
    predictions: int
    dead_letters: int
    violations: tuple[str, ...]
    recoveries: tuple[Recovery, ...] = ()
    bar: float | None = None
    slowness: float = 1.0

    def row(self) -> tuple[str, ...]:
        recovered = [recovery.seconds for recovery in self.recoveries]
        measured = (
            (str(len(recovered)), f"{percentile(recovered, 0.5):.1f}", f"{percentile(recovered, 0.95):.1f}")
            if recovered
            else ("", "", "")
        )
        bar = "" if self.bar is None else f"{self.bar:g} x {self.slowness:.1f}"
        counts = (str(self.accepted), str(self.predictions), str(self.dead_letters))
        return (self.name, *counts, *measured, bar, "; ".join(self.violations) or "ok")


_HEAD = ("scenario", "quotes", "predictions", "dead", "faults", "p50 s", "p95 s", "bar s", "result")


def table(results: list[Result]) -> Iterator[str]:
    """The results as lines of a table."""
    rows = [_HEAD, *(result.row() for result in results)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD) - 1)]
    for row in rows:
        yield "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]])


def write(results: list[Result], file: Path) -> None:
    """Keep the results; earlier ones are replaced."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
