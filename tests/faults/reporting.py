"""The results of the fault tests: a table to read, a file to keep, and the table of docs/faults.md.

`python -m tests.faults.reporting` writes the kept results into the document.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from tests.conftest import REPOSITORY
from tests.faults.recovery import Recovery, Verdict, judge, percentile

FILE = REPOSITORY / ".riskee" / "reports" / "faults.json"
DOCUMENT = REPOSITORY / "docs" / "faults.md"
BEGIN, END = "<!-- results: `python -m tests.faults.reporting` -->", "<!-- end of results -->"


class Result(msgspec.Struct, frozen=True):
    """One scenario. Recoveries and `bar` in seconds, `rate` in quotes a second; `bar` None: none is asked for.

    `slowness` is by how much the machine was slowed, which eases the bar up to a limit. `commit` was checked out when
    it began; older files have neither that nor when it ended.
    """

    name: str
    rate: float
    seconds: float
    accepted: int
    predictions: int
    dead_letters: int
    violations: tuple[str, ...]
    recoveries: tuple[Recovery, ...] = ()
    bar: float | None = None
    slowness: float = 1.0
    commit: str = ""
    ended_at: datetime | None = None
    # Of the predictions, those that somebody asked for.
    answers: int = 0

    @property
    def times(self) -> list[float]:
        return [recovery.seconds for recovery in self.recoveries]

    @property
    def verdict(self) -> Verdict | None:
        """What the recoveries say of the bar; None without one."""
        if self.bar is None or not self.recoveries:
            return None
        return judge(percentile(self.times, 0.95), self.bar, self.slowness)

    @property
    def failures(self) -> tuple[str, ...]:
        """Every bar that does not hold."""
        if self.verdict is not Verdict.MISSED:
            return self.violations
        p95 = percentile(self.times, 0.95)
        return (*self.violations, f"recovery p95 {p95:.1f} s, allowed {self.bar:g} s; slowness {self.slowness:.2f}")

    @property
    def outcome(self) -> str:
        """What to say of it in the end: a bar that was not held as it is does not pass for one that was."""
        if self.failures:
            return "; ".join(self.failures)
        return "ok" if self.verdict in (None, Verdict.HELD) else f"ok, bar {self.verdict}"

    def row(self) -> tuple[str, ...]:
        """As _HEAD says."""
        times = self.times
        measured = [f"{percentile(times, share):.1f}" for share in (0.5, 0.95)] if times else ["", ""]
        bar = "" if self.bar is None else f"{self.bar:g}"
        counts = (f"{self.rate:g}", str(self.accepted), str(self.predictions), str(self.dead_letters))
        recovery = (str(len(times) or ""), *measured, bar, f"{self.slowness:.1f}", self.verdict or "")
        ended = f"{self.ended_at:%FT%RZ}" if self.ended_at else "unknown"
        return (self.name, *counts, *recovery, self.commit or "unknown", ended, self.outcome)


# Every scenario of this run, those that broke off too.
FINISHED: list[Result] = []
_HEAD = (
    *("scenario", "quotes/s", "quotes", "predictions", "dead", "faults", "p50 s", "p95 s", "bar s", "slowness"),
    *("bar", "commit", "ended", "comparison"),
)


def table(results: Iterable[Result]) -> Iterator[str]:
    """The results as lines of a table."""
    rows = [_HEAD, *(result.row() for result in results)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD) - 1)]
    for row in rows:
        yield "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]])


def summary(results: Iterable[Result]) -> str:
    """How many scenarios came to what."""
    outcomes = Counter("failed" if result.failures else result.outcome for result in results)
    return f"{outcomes.total()} scenarios: {', '.join(f'{count} {outcome}' for outcome, count in outcomes.items())}"


def markdown(results: Sequence[Result]) -> Iterator[str]:
    """The results as lines of a table of Markdown, and their summary."""
    for row in (_HEAD, ("---",) * len(_HEAD), *(result.row() for result in results)):
        yield f"| {' | '.join(row)} |"
    yield from ("", summary(results) + ".")


def read(file: Path) -> list[Result]:
    """The results that are kept; none yet: an empty list."""
    return msgspec.json.decode(file.read_bytes(), type=list[Result]) if file.exists() else []


def write(results: Sequence[Result], file: Path) -> None:
    """Keep the results. A scenario's earlier one is replaced, those of other scenarios stay."""
    kept = {result.name: result for result in (*read(file), *results)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode([*kept.values()])))


def into(document: str, lines: Iterable[str]) -> str:
    """The document with these lines between its marks. Raises ValueError where it has none."""
    head, rest = document.split(BEGIN)
    _, tail = rest.split(END)
    return "\n".join([head + BEGIN, "", *lines, "", END + tail])


def page(document: str, results: Sequence[Result]) -> str:
    """The document with these results.

    Raises ValueError where there are none, or one of an older file does not tell of which run it is.
    """
    if not results:
        raise ValueError(f"{FILE} has no results: run `make faults`")
    unknown = [result.name for result in results if not (result.commit and result.ended_at)]
    if unknown:
        why = "not known of which commit it is or when it ended"
        raise ValueError(f"{', '.join(unknown)}: {why}; run it again: `make faults`")
    return into(document, markdown(results))


if __name__ == "__main__":
    DOCUMENT.write_text(page(DOCUMENT.read_text(), read(FILE)))
