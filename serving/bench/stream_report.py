"""A measurement of the stream as tables, for a terminal and for docs/benchmarks.md."""

from serving.bench.conditions import PERCENTILES_TOLD, disturbed, measured_on, percentiles
from serving.bench.report import Table, markdown_of, target_row
from serving.bench.stream_result import StreamLoad, StreamMeasured
from serving.bench.target import Target

HEADING = "## The stream"
# Who never reads is seen to take nothing once the server's buffer (64 KiB), the kernel's (twice that) and its own small
# window are full. Each of them is sent all that is published, and no message is shorter.
_ROOM_BYTES, _SHORTEST_BYTES = 256 * 1024, 800
TOO_LITTLE = "not judged: too little was sent to fill the buffers"


def targets(measured: StreamMeasured) -> list[Target]:
    """What was asked of the stream, and what it does."""
    options = measured.options
    plain, deaf, floor = measured.load("product"), measured.load("product", options.deaf), measured.load("floor")
    ratio = round(plain.cpu_us / floor.cpu_us, 2) if plain and floor and floor.cpu_us else None
    rate = plain.a_second if plain else None
    alone, beside = _p99(plain), _p99(deaf)
    slowed = round(beside / alone, 2) if alone and beside else None
    enough = deaf is not None and deaf.published * _SHORTEST_BYTES > _ROOM_BYTES
    closed = deaf.slow_ended if deaf and enough else None
    return [
        Target(what=f"{options.clients:,} clients, deliveries", bound=10_000, unit="/s", measured=rate, at_least=True),
        Target(what="from publication to receipt, p99", bound=250, unit="ms", measured=_p99(plain)),
        Target(what=f"beside {options.deaf} that never read, p99", bound=250, unit="ms", measured=_p99(deaf)),
        Target(what="the same p99 against without them", bound=2, unit="x", measured=slowed),
        Target(
            what=f"of the {options.deaf}, closed",
            bound=options.deaf,
            unit="",
            measured=closed,
            at_least=True,
            note=TOO_LITTLE if deaf and not enough else "",
        ),
        Target(what="memory of a connection", bound=32, unit="KiB", measured=plain.kib_after if plain else None),
        Target(what="CPU of a delivery, against a bare broadcast", bound=2, unit="x", measured=ratio),
        Target(what="deliveries that did not come", bound=0, unit="", measured=_missing(measured)),
        Target(what="deliveries twice or out of order", bound=0, unit="", measured=_fallen(measured)),
    ]


def _p99(load: StreamLoad | None) -> float | None:
    return load.latency.at(99) if load and load.latency else None


def _missing(measured: StreamMeasured) -> int:
    # One by one: what comes twice in one load makes up for nothing in another.
    return sum(max(load.expected - load.deliveries, 0) for load in measured.loads if load.target == "product")


def _fallen(measured: StreamMeasured) -> int:
    return sum(load.fallen for load in measured.loads if load.target == "product")


def tables(measured: StreamMeasured) -> list[Table]:
    """Targets, and all that was measured."""
    return [
        Table("Targets of the stream", ("what", "target", "measured", "times better", ""),
              list(map(target_row, targets(measured)))),
        Table("Deliveries", ("server", "never read", "deliveries", "expected", "out of order", "a second",
              "p50 / p95 / p99 ms", "most ms", "CPU us each", "clients' cores"), list(map(_delivered, measured.loads))),
        Table("Connections", ("server", "never read", "connections", "KiB each", "after the load", "all there after s",
              "slow ones ended", "others ended"), list(map(_connected, measured.loads))),
    ]  # fmt: skip


def _delivered(load: StreamLoad) -> tuple[str, ...]:
    seen = load.latency
    return (
        load.target,
        str(load.deaf),
        f"{load.deliveries:,}",
        f"{load.expected:,}",
        str(load.fallen),
        f"{load.a_second:,.0f}",
        percentiles(seen),
        f"{seen.most:.1f}" if seen else "",
        f"{load.cpu_us:.1f}",
        f"{load.clients_cpu:.2f}",
    )


def _connected(load: StreamLoad) -> tuple[str, ...]:
    return (
        load.target,
        str(load.deaf),
        f"{load.clients:,}",
        f"{load.kib:.1f}",
        f"{load.kib_after:.1f}",
        f"{load.connect_seconds:.1f}",
        str(load.slow_ended),
        str(load.closed),
    )


def conditions(measured: StreamMeasured) -> str:
    """Where and how it was measured, in a paragraph."""
    machine, options = measured.machine, measured.options
    where = measured_on(machine, measured.seconds, ("uvicorn", "uvloop", "nats-py"))
    return (
        f"{disturbed(measured.others)}{where} of the cores' time others took {measured.others:.0%}. Each of the"
        f" {options.clients:,} clients listens to {options.tickers_each} of {options.tickers} tickers; predictions are"
        f" published over NATS at even times for {options.seconds:g} s, {options.rate:,} deliveries a second in all,"
        " and carry the moment of their publication. Clients, publisher, servers and the one process of the API share"
        f" the cores.{PERCENTILES_TOLD}"
    )


def markdown(measured: StreamMeasured) -> str:
    """The section of docs/benchmarks.md."""
    return "\n\n".join(
        [
            HEADING,
            "`riskee bench stream --json > stream.json` measures, `riskee bench report stream.json --write"
            " docs/benchmarks.md` writes this section; how it is measured is in"
            " [ADR 0122](adr/0122-the-stream-measured.md). The floor is `websockets.broadcast` of the same messages:"
            " no snapshot, sequence, status, resume or limit. Server and clients need a file descriptor for each"
            " connection (`ulimit -n`), the clients one port of their machine each.",
            conditions(measured),
            *map(markdown_of, tables(measured)),
        ]
    )
