"""The pictures of a measurement: latency by rate, backlogs, and where the processors' time goes."""

from collections.abc import Mapping, Sequence
from math import log10

from riskee.model.charts import WIDTH, Axis, standalone, svg_chart, svg_line, svg_text
from serving.bench.loads import Load
from serving.bench.result import Measured
from serving.bench.targets import ALL_SERVICES

_PROCESSES = ("predict", "floor", "record", "api", "nats", "redis", "postgres")
_SHADES = ("#2a6fc9", "#2a6fc9", "#5a9e6f", "#c2571a", "#8a6fc2", "#b5493f", "#7d8794")
_LEFT, _ROW = 190, 34


def charts(measured: Measured) -> Mapping[str, str]:
    """SVG files by name; none of what was not measured."""
    found = {"live-latency": _latency(measured), "live-backlog": _backlogs(measured), "live-cpu": _cpu(measured)}
    return {name: standalone(chart) for name, chart in found.items() if chart}


def _latency(measured: Measured) -> str:
    """p50, p99 and p99.9 of the product at every rate and of the floor at its own, on logarithmic scales.

    Those that the values do not carry are left out.
    """
    series: dict[str, list[tuple[int, float]]] = {}
    for load in _drawn(measured):
        event = load.latency.get("event")
        for percentile in (50, 99, 99.9):
            value = event.at(percentile) if event else None
            if value is not None:
                series.setdefault(f"{load.target} p{percentile:g}", []).append((load.rate, value))
    if not series:
        return ""
    values = [value for points in series.values() for _, value in points]
    rates = sorted({rate for points in series.values() for rate, _ in points})
    x = Axis(log10(rates[0] / 1.3), log10(rates[-1] * 1.3), 60, WIDTH - 150)
    y = Axis(log10(min(values) / 1.3), log10(max(values) * 1.3), 260, 30)
    shapes = [svg_text(0, 14, "ms from when a quote was due to its durable event, by quotes a second")]
    for power in range(-1, 5):
        for value in (10**power, 2 * 10**power, 5 * 10**power):
            if y.low <= log10(value) <= y.high:
                shapes += [
                    svg_line(x.start, y(log10(value)), x.end, y(log10(value)), "grid"),
                    svg_text(x.start - 8, y(log10(value)) + 4, f"{value:g}", "end"),
                ]
    shapes += [svg_text(x(log10(rate)), 280, f"{rate:,}", "middle") for rate in rates]
    below = 0.0
    for name, points in sorted(series.items(), key=lambda one: -max(one[1])[1]):
        places = [(x(log10(rate)), y(log10(value))) for rate, value in sorted(points)]
        below = max(places[-1][1] + 4, below + 13)
        shapes += [*_series(name, places), svg_text(places[-1][0] + 10, below, name, kind="name")]
    return svg_chart(290, "Latency by rate", shapes)


def _series(name: str, places: Sequence[tuple[float, float]]) -> list[str]:
    colour = "var(--other)" if name.startswith("floor") else "var(--main)"
    dash = {"p50": "", "p99": "6 3", "p99.9": "2 3"}[name.rpartition(" ")[2]]
    line = " ".join(f"{x},{y}" for x, y in places)
    return [
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>',
        *(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places),
    ]


def _backlogs(measured: Measured) -> str:
    """Messages a second of every backlog, as bars."""
    names = list(dict.fromkeys(drain.what for drain in measured.drains))
    found = [drain for name in names if (drain := measured.drain(name))]
    if not found:
        return ""
    x = Axis(0, max(drain.a_second for drain in found) * 1.15 or 1, 320, WIDTH - 10)
    shapes = [svg_text(0, 14, "messages of a backlog worked off in a second")]
    for place, drain in enumerate(found):
        top = 30 + 26 * place
        width = round(x(drain.a_second) - x.start, 2)
        shapes += [
            svg_text(x.start - 8, top + 14, drain.what, "end", "name"),
            f'<rect x="{x.start}" y="{top}" width="{width}" height="18" rx="2" class="bar"/>',
            svg_text(x.start + width + 6, top + 14, f"{drain.a_second:,.0f}"),
        ]
    return svg_chart(40 + 26 * len(found), "Backlogs", shapes)


def _cpu(measured: Measured) -> str:
    """Microseconds of a processor for each quote, stacked by process."""
    rows = [load for load in _drawn(measured) if load.rate >= 1000]
    if not rows:
        return ""
    x = Axis(0, max(sum(load.cpu_us.values()) for load in rows) * 1.05, _LEFT, WIDTH - 20)
    shapes = [svg_text(0, 14, "us of a processor for each quote, by process")]
    for place, load in enumerate(rows):
        top, at = 30 + _ROW * place, 0.0
        shapes.append(svg_text(x.start - 8, top + 16, f"{load.target}, {load.rate:,}/s", "end", "name"))
        for name, shade in zip(_PROCESSES, _SHADES, strict=True):
            spent = load.cpu_us.get(name, 0.0)
            width = round(x(at + spent) - x(at), 2)
            shapes.append(f'<rect x="{x(at)}" y="{top}" width="{width}" height="22" fill="{shade}"/>')
            inside = f"{name} {spent:.0f}"
            if width > 7 * len(inside):
                shapes.append(f'<text x="{x(at) + 5}" y="{top + 15}" style="fill:#fff">{inside}</text>')
            at += spent
    for place, (name, shade) in enumerate(list(zip(_PROCESSES, _SHADES, strict=True))[1:]):
        left, top = 100 + 100 * place, 36 + _ROW * len(rows)
        shapes.append(f'<rect x="{left}" y="{top}" width="10" height="10" fill="{shade}"/>')
        shapes.append(svg_text(left + 15, top + 9, "predict, floor" if name == "floor" else name))
    return svg_chart(60 + _ROW * len(rows), "Processor time by process", shapes)


def _drawn(measured: Measured) -> list[Load]:
    """The floor, then the product with as many tickers at every rate; void loads are not drawn."""
    pair = next((pair for load in measured.loads if (pair := measured.pair(ALL_SERVICES, load.rate))), None)
    if pair is None:
        return []
    loads = [load for load in measured.loads if load.target == "product" and load.tickers == pair[1].tickers]
    return [load for load in (pair[1], *loads) if not load.void]
