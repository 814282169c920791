"""A measurement of several predictors as a table, for a terminal and for docs/benchmarks.md."""

from serving.bench.conditions import measured_on
from serving.bench.report import Table, markdown_of
from serving.bench.scaling import Scaled, Scaling

HEADING = "## Several predictors"
_HEADER = (
    "predictors",
    "events",
    "missing",
    "events/s",
    "CPU us/event",
    "of NATS",
    "longest wait, one killed, s",
    "lost then",
)


def table(measured: Scaling) -> Table:
    """A row for each number of predictors."""
    return Table(f"A backlog, {measured.tickers:,} tickers", _HEADER, list(map(_row, measured.found)))


def _row(one: Scaled) -> tuple[str, ...]:
    return (
        str(one.predictors),
        f"{one.done:,} of {one.messages:,}",
        f"{one.missing:,}",
        f"{one.a_second:,}",
        f"{one.cpu_us['predict']:.0f}",
        f"{one.cpu_us['nats']:.0f}",
        "" if one.longest_wait is None else f"{one.longest_wait:.1f}",
        "" if one.lost is None else f"{one.lost:,}",
    )


def conditions(measured: Scaling) -> str:
    """Where and how it was measured, in a paragraph."""
    machine, (before, after) = measured.machine, measured.machine.load
    return (
        f"{measured_on(machine, measured.seconds, machine.packages)} load average {before} before and {after} after."
        " Events are fewer than quotes where several of a ticker became one. The last of several predictors is killed"
        f" at {measured.steady_rate:g} quotes/s. All predictors share the machine with the servers and the load."
    )


def markdown(measured: Scaling) -> str:
    """The section of docs/benchmarks.md."""
    return "\n\n".join(
        [
            HEADING,
            "`riskee bench scale --json > scale.json` measures, `riskee bench report scale.json --write"
            " docs/benchmarks.md` writes this section; how the predictors share the tickers is in"
            " [ADR 0092](adr/0092-predictors-share-the-tickers.md).",
            conditions(measured),
            markdown_of(table(measured)),
        ]
    )
