"""A measurement as tables, for a terminal and for docs/benchmarks.md."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from serving.bench.charts import charts
from serving.bench.conditions import PERCENTILES_TOLD, disturbed, measured_on, percentiles
from serving.bench.latency import Latency
from serving.bench.loads import Load
from serving.bench.options import Options
from serving.bench.performance import performance
from serving.bench.result import Measured
from serving.bench.sampling import DATABASE_POLL, REDIS_POLL
from serving.bench.target import Target
from serving.bench.targets import bars

HEADING = "## The live path"
_VERDICTS = {True: "met", False: "**missed**", None: ""}
_CPU = ("predict", "record", "api", "nats", "redis", "postgres", "floor")


class Table(msgspec.Struct, frozen=True):
    """Rows under a title, and a note on them."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


def tables(measured: Measured) -> list[Table]:
    """Every table that has rows."""
    target = ("what", "target", "measured", "times better", "")
    load = (
        "load",
        "tickers",
        "quotes/s",
        "durable event",
        "p99.9",
        "stored",
        "Redis",
        "row",
        "WebSocket",
        "events",
        "repeats",
        "missing",
    )
    cpu = ("load", "tickers", "quotes/s", *_CPU)
    burst = ("burst", "tickers", "durable event", "most", "Redis", "row", "WebSocket", "repeats", "missing")
    drain = ("backlog", "messages", "done", "missing", "a second", *_CPU[:2], *_CPU[3:], "first event after s")
    found = [
        Table("Bars of the live path", target, list(map(target_row, bars(measured))), _of_floor(measured)),
        Table("Performance targets", target, list(map(target_row, performance(measured)))),
        Table("Latency, p50 / p95 / p99 ms", load, list(map(_load, measured.loads))),
        Table("CPU, us for each quote", cpu, list(map(_cpu, measured.loads))),
        Table("Every ticker at once, p50 / p95 / p99 ms", burst, list(_bursts(measured))),
        Table("Backlogs: messages a second, and CPU in us for each", drain, list(_drains(measured))),
        Table("Kernel, one core", ("step", "tickers", "ms", "us each"), list(_kernel(measured))),
        Table(
            "Memory, the most of each process",
            ("process", "MiB"),
            [(n, f"{m:,}") for n, m in measured.memory_mib.items()],
        ),
    ]
    return [table for table in found if table.rows]


def _of_floor(measured: Measured) -> str:
    """What a ratio to the bare floor is to be read with."""
    said = measured.differences
    return f"{said[:1].upper()}{said[1:]}." if measured.loads or measured.drains else ""


def conditions(measured: Measured) -> str:
    """Where and how it was measured, in a paragraph."""
    machine = measured.machine
    return (
        f"{_warnings(measured)}"
        f"{measured_on(machine, measured.seconds, machine.packages)} load average"
        f" {machine.load[0]} before and {machine.load[1]} after, of the cores' time others took {measured.others:.0%}."
        f" {_options(measured.options)} Servers, product, load and probe share the cores."
        " The durable event is seen by a consumer of its stream; `stored` is JetStream's own stamp of it."
        f" Champions: {measured.model}. {measured.sessions} sessions of every ticker. Redis is asked every"
        f" {REDIS_POLL * 1000:g} ms, the database every {DATABASE_POLL * 1000:g} ms, for a sample of the quotes;"
        " its percentiles are of all repeats together, others the median of the repeats, of two the worse."
        f"{PERCENTILES_TOLD}"
    )


def _warnings(measured: Measured) -> str:
    """What the reader must know first."""
    options = measured.options
    void = sum(load.void for load in measured.loads)
    found = [
        (f"Only a part was measured: {', '.join(options.only)}.", options.partial),
        (f"Of {len(measured.loads)} loads {void} are void: the generator lagged.", void > 0),
    ]
    return disturbed(measured.others) + "".join(f"**{sentence}** " for sentence, true in found if true)


def _options(options: Options) -> str:
    tickers, rates = (" and ".join(f"{each:,}" for each in numbers) for numbers in (options.tickers, options.rates))
    return (
        f"Options: {tickers} tickers, {rates} quotes/s, loads of {options.seconds:g} s, {options.repeats} repeats"
        f" (`product` at its rates {options.product_repeats}), backlogs of {options.backlog:,} quotes."
    )


def target_row(target: Target) -> tuple[str, ...]:
    """A bound, what was measured, and whether it is met."""
    sign = "at least" if target.at_least else "at most"
    ratio = target.ratio
    return (
        target.what,
        f"{sign} {target.bound:,g} {target.unit}".strip(),
        "not here" if target.measured is None else f"{target.measured:,g} {target.unit}".strip(),
        "" if ratio is None else f"{ratio:,g}",
        ", ".join(filter(None, (target.note or _VERDICTS[target.met], target.detail))),
    )


def _sampled(latency: Latency | None) -> str:
    """The percentiles of a sample, and its size."""
    return "" if latency is None else f"{percentiles(latency)} of {latency.count:,.0f}"


def _named(load: Load) -> str:
    return f"{load.target}{f' (beside {load.beside})' if load.target == 'floor' else ''}{', void' if load.void else ''}"


def _lost(load: Load) -> str:
    """How many are missing and, where any are, in which place."""
    places = ", ".join(f"{name} {count:,}" for name, count in load.missing.items() if count)
    refused = f"refused {load.refused:,}" if load.refused else ""
    return ", ".join(filter(None, (places, refused))) or "0"


def _load(load: Load) -> tuple[str, ...]:
    event = load.latency.get("event")
    p999 = event.at(99.9) if event else None
    return (
        _named(load),
        f"{load.tickers:,}",
        f"{load.rate:,}",
        percentiles(event),
        "-" if p999 is None else f"{p999:.1f}",
        percentiles(load.latency.get("stored")),
        *(_sampled(load.latency.get(name)) for name in ("redis", "database")),
        percentiles(load.latency.get("websocket")),
        f"{load.events:,} of {load.quotes:,}",
        str(load.repeats),
        _lost(load),
    )


def _cpu(load: Load) -> tuple[str, ...]:
    spent = (f"{load.cpu_us[name]:,.0f}" if load.cpu_us.get(name) else "" for name in _CPU)
    return (_named(load), f"{load.tickers:,}", f"{load.rate:,}", *spent)


def _bursts(measured: Measured) -> Iterator[tuple[str, ...]]:
    for what, loads in (("within a session", measured.bursts), ("first of a session", measured.openings)):
        for load in loads:
            event = load.latency.get("event")
            yield (
                what,
                f"{load.tickers:,}",
                percentiles(event),
                f"{event.most:.1f}" if event else "",
                *(_sampled(load.latency.get(name)) for name in ("redis", "database")),
                percentiles(load.latency.get("websocket")),
                str(load.repeats),
                _lost(load),
            )


def _drains(measured: Measured) -> Iterator[tuple[str, ...]]:
    for what in dict.fromkeys(drain.what for drain in measured.drains):
        drain = measured.drain(what)
        if drain is None:
            continue
        spent = (f"{drain.cpu_us[name]:,.0f}" if drain.cpu_us.get(name) else "" for name in (*_CPU[:2], *_CPU[3:]))
        first = "" if drain.first_after is None else f"{drain.first_after:.1f}"
        yield (
            what,
            f"{drain.messages:,}",
            f"{drain.done:,}",
            f"{drain.missing + drain.refused:,}",
            f"{drain.a_second:,.0f}",
            *spent,
            first,
        )


def _kernel(measured: Measured) -> Iterator[tuple[str, ...]]:
    for timing in measured.kernel:
        each = f"{timing.microseconds_each:,.2f}"
        yield (timing.step, f"{timing.tickers:,}", f"{timing.milliseconds:,.2f}", each)


def markdown(measured: Measured, pictures: Iterable[str]) -> str:
    """The section of docs/benchmarks.md."""
    return "\n\n".join(
        [
            HEADING,
            "`riskee bench live --json > live.json` measures, `riskee bench report live.json --write"
            " docs/benchmarks.md` writes this section; how it is measured is in"
            " [ADR 0096](adr/0096-the-live-path-measured-from-outside.md).",
            conditions(measured),
            *(f"![{name}](images/{name}.svg)" for name in pictures),
            *(markdown_of(table) for table in tables(measured)),
        ]
    )


def markdown_of(table: Table) -> str:
    """A table as Markdown."""
    lines = [f"**{table.title}**", "", *([table.note, ""] if table.note else [])]
    lines += [_row(table.header), f"|{'---|' * len(table.header)}"]
    return "\n".join([*lines, *map(_row, table.rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(measured: Measured, page: Path) -> None:
    """Put the section into a page, in place of an earlier one, and the pictures into `images` beside it."""
    images = page.parent / "images"
    images.mkdir(exist_ok=True)
    drawn = charts(measured)
    for name, chart in drawn.items():
        (images / f"{name}.svg").write_text(chart)
    put_section(page, HEADING, markdown(measured, drawn))


def put_section(page: Path, heading: str, section: str) -> None:
    """Write a section into a page in place of the one with this heading, or at its end."""
    text = page.read_text() if page.exists() else "# Benchmarks\n"
    before, found, after = text.partition(f"{heading}\n")
    _, others, rest = after.partition("\n## ") if found else ("", "", "")
    page.write_text(f"{before.rstrip()}\n\n{section}\n{f'{others}{rest}' if others else ''}")
