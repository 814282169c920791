"""The measured numbers, read from the pages that hold them (docs/benchmarks.md, docs/backup.md): each has one place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from riskee.errors import FatalError

DOCS = Path(__file__).parents[2] / "docs"
SERVICES = ("predict", "record", "api", "nats", "redis", "postgres")
# Quotes a second of the loads with 5,000 tickers, whose processor's time is known.
RATES = (100, 1_000, 5_000)
TICKERS = 5_000
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Kept:
    """Of a table with rows for each quote: bytes of a row, and how many times smaller as columns."""

    row_bytes: float
    smaller: float


@dataclass(frozen=True)
class Measured:
    """`cpu_us`: microseconds of a processor for each quote, by service, at each of `RATES`. `predicted`: quotes a
    second of one predictor; `written`: rows a second of record; `late_ms`: the p99 to the durable event at each of
    `RATES` but the first. Of the stream: us of a delivery and KiB of a connection.
    """

    machine: str
    cpu_us: dict[str, tuple[float, ...]]
    predicted: float
    written: float
    late_ms: tuple[float, ...]
    memory_mib: dict[str, float]
    delivery_us: float
    connection_kib: float
    tables: dict[str, Kept]


def read_measured(docs: Path = DOCS) -> Measured:
    """Raises FatalError where a page has no longer what is read from it."""
    page, backup = (docs / "benchmarks.md").read_text(), (docs / "backup.md").read_text()
    found = re.search(r"## The live path.*?Measured in [\d,]+ s on (\d+ cores \(.*?\)\))", page, re.DOTALL)
    if found is None:
        raise FatalError("docs/benchmarks.md does not name its machine", "mend infra/sizing/measured.py")
    cpu, late = (
        [_row(page, title, ("product", f"{TICKERS:,}", f"{rate:,}")) for rate in RATES]
        for title in ("CPU, us for each quote", "Latency, p50 / p95 / p99 ms")
    )
    backlogs = "Backlogs: messages a second"
    return Measured(
        machine=found.group(1),
        cpu_us={name: tuple(_number(row[3 + place]) for row in cpu) for place, name in enumerate(SERVICES)},
        predicted=_number(_row(page, backlogs, ("predict, each quote of its own time",))[4]),
        written=_number(_row(page, backlogs, ("record",))[4]),
        late_ms=tuple(_number(row[3].rpartition(" / ")[2]) for row in late[1:]),
        memory_mib={name: _number(_row(page, "Memory, the most of each process", (name,))[1]) for name in SERVICES},
        delivery_us=_number(_row(page, "Deliveries", ("product", "0"))[8]),
        connection_kib=_number(_row(page, "Connections", ("product", "0"))[4]),
        tables={name: _kept(backup, name) for name in ("quotes", "predictions", "market_data")},
    )


def _kept(page: str, table: str) -> Kept:
    _, row_bytes, _, smaller = _cells(page, (f"`{table}`",))
    return Kept(_number(row_bytes), _number(smaller))


def _row(page: str, title: str, begins: Sequence[str]) -> list[str]:
    """The row of the table below a bold title, or from the next ones on, that begins so."""
    _, heading, rest = page.partition(f"**{title}")
    if not heading:
        raise FatalError(f"docs/benchmarks.md has no table {title!r}", "mend infra/sizing/measured.py")
    return _cells(rest.split("\n**", 1)[0], begins)


def _cells(text: str, begins: Sequence[str]) -> list[str]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[: len(begins)] == list(begins):
            return cells
    raise FatalError(f"no row of the page begins with {begins}", "mend infra/sizing/measured.py")


def _number(cell: str) -> float:
    found = _NUMBER.search(cell)
    if found is None:
        raise FatalError(f"{cell!r} is no number", "measure it: docs/benchmarks.md says how")
    return float(found.group().replace(",", ""))
