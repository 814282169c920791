"""The charts of an evaluation, as SVG that follows a reader's light or dark theme.

Nothing but shapes and text: no script, no font, no address is loaded. Colours are CSS variables, which the standalone
form defines itself.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from math import ceil, floor, isfinite, log10

from riskee.model.uncertainty import Estimate

STYLE = """
.chart { --ink: #1c1b1a; --soft: #5f5d58; --rule: #e3e1db; --main: #2a6fc9; --other: #c2571a; --area: #2a6fc926;
  color: var(--ink); font: 12px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .chart { --ink: #f2f0ea; --soft: #a9a69d; --rule: #3a3935; --main: #6aa5f0;
  --other: #e8894f; --area: #6aa5f033; } }
.chart text { fill: var(--soft); } .chart .name { fill: var(--ink); } .chart .grid { stroke: var(--rule); }
.chart .zero { stroke: var(--soft); } .chart .guide { stroke: var(--soft); stroke-dasharray: 4 4; fill: none; }
.chart .line { stroke: var(--main); stroke-width: 2; fill: none; stroke-linejoin: round; }
.chart .whisker { stroke: var(--main); stroke-width: 2; stroke-linecap: round; }
.chart .dot, .chart .bar { fill: var(--main); } .chart .other { fill: var(--other); stroke: none; }
.chart .area { fill: var(--area); }
"""
WIDTH = 720


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` laid out from `start` to `end` in pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 2)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values inside the axis, about so many."""
        rough = (self.high - self.low) / count
        power = 10 ** floor(log10(rough))
        step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
        first = ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, floor(self.high / step + 1e-9) + 1)]


def axis(values: Sequence[float], start: float, end: float, pad: float = 0.06) -> Axis:
    """An axis that shows all values with a little room around them."""
    there = [value for value in values if isfinite(value)] or [0.0]
    low, high = min(there), max(there)
    room = (high - low) * pad or abs(high) * 0.1 or 0.1
    return Axis(low - room, high + room, start, end)


def svg_text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """Words at a place; `kind` is a class of STYLE."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def svg_line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A line between two places."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{kind}"/>'


def svg_chart(height: float, title: str, shapes: Sequence[str]) -> str:
    """A chart of WIDTH times `height`, for a page that has STYLE."""
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">{body}</svg>'
    )


def standalone(chart: str) -> str:
    """The chart with its own style, as a file has it."""
    return chart.replace('role="img"', f'width="{WIDTH}" role="img"', 1).replace(">", f"><style>{STYLE}</style>", 1)


def data_uri(chart: str) -> str:
    """The chart as an address that an `img` shows by itself."""
    return "data:image/svg+xml;base64," + base64.b64encode(standalone(chart).encode()).decode()


def _frame(x: Axis, y: Axis, label: str, form: Callable[[float], str]) -> list[str]:
    """Horizontal grid lines with their values, and the vertical axis' name above them."""
    shapes = [svg_text(0, 14, label)]
    for tick in y.ticks():
        shapes += [
            svg_line(x.start, y(tick), x.end, y(tick), "zero" if abs(tick) < 1e-12 else "grid"),
            svg_text(x.start - 8, y(tick) + 4, form(tick), "end"),
        ]
    return shapes


def percent(value: float) -> str:
    """A share as a percentage, without a needless decimal."""
    return f"{value * 100:.4g} %"


def signed(value: float) -> str:
    """A correlation with its sign."""
    return minus(f"{value:+.3g}") if abs(value) > 1e-12 else "0"


def minus(number: str) -> str:
    """The number with a minus in place of a hyphen."""
    return number.replace("-", "\N{MINUS SIGN}")


def reliability_chart(points: Sequence[tuple[float, Estimate]]) -> str:
    """Said probability of a rise against the share that rose, with 95 % intervals; the diagonal is perfect."""
    said = [place for place, _ in points]
    y = axis([end for _, share in points for end in (share.low, share.high)] + said, 320, 30)
    x = axis(said, 60, WIDTH - 10)
    shapes = _frame(x, y, "share that rose", percent)
    shapes += [svg_text(x(tick), 340, percent(tick), "middle") for tick in x.ticks(8)]
    shapes.append(svg_text(x.end, 358, "probability of a rise that was said", "end"))
    first, last = max(x.low, y.low), min(x.high, y.high)
    shapes.append(svg_line(x(first), y(first), x(last), y(last), "guide"))
    for place, share in points:
        shapes += [
            svg_line(x(place), y(share.low), x(place), y(share.high), "whisker"),
            f'<circle cx="{x(place)}" cy="{y(share.value)}" r="4" class="dot"/>',
        ]
    return svg_chart(364, "Reliability diagram", shapes)


def band_chart(days: Sequence[date], band: Sequence[Estimate], mean: Estimate, label: str) -> str:
    """A line over time within its interval, and the overall mean as a dashed line."""
    x = Axis(days[0].toordinal(), max(days[-1].toordinal(), days[0].toordinal() + 1), 60, WIDTH - 10)
    y = axis([end for one in band for end in (one.low, one.high)] + [0.0], 270, 30)
    places = [x(day.toordinal()) for day in days]
    upper = [f"{place},{y(one.high)}" for place, one in zip(places, band, strict=True)]
    lower = [f"{place},{y(one.low)}" for place, one in zip(places, band, strict=True)]
    line = [f"{place},{y(one.value)}" for place, one in zip(places, band, strict=True)]
    shapes = [
        f'<polygon points="{" ".join(upper + lower[::-1])}" class="area"/>',
        *_frame(x, y, label, signed),
        *(svg_text(x(day.toordinal()), 292, words, "middle") for day, words in _dates(days[0], days[-1])),
        svg_line(x.start, y(mean.value), x.end, y(mean.value), "guide"),
        f'<polyline points="{" ".join(line)}" class="line"/>',
    ]
    return svg_chart(300, label, shapes)


def _dates(first: date, last: date) -> list[tuple[date, str]]:
    """New Year's days within a stretch, or its ends where there are fewer than two."""
    years = [date(year, 1, 1) for year in range(first.year + 1, last.year + 1)]
    step = max(1, ceil(len(years) / 9))
    if len(years) < 2:
        return [(first, ""), (last, "")] if first == last else [(day, f"{day:%b %Y}") for day in _inner(first, last)]
    return [(day, str(day.year)) for day in years[::step]]


def _inner(first: date, last: date) -> list[date]:
    whole = last.toordinal() - first.toordinal()
    return [date.fromordinal(first.toordinal() + int(whole * share)) for share in (0.1, 0.5, 0.9)]


def forest_chart(rows: Sequence[tuple[str, Estimate]], label: str, form: Callable[[float], str], guide: float) -> str:
    """Estimates with their intervals, one below the other, beside a line at `guide`."""
    bottom = 40 + 26 * len(rows)
    x = axis([end for _, one in rows for end in (one.low, one.high)] + [guide], 170, WIDTH - 20)
    shapes = [svg_text(0, 14, label)]
    for tick in x.ticks(6):
        shapes += [
            svg_line(x(tick), 26, x(tick), bottom - 6, "grid"),
            svg_text(x(tick), bottom + 12, form(tick), "middle"),
        ]
    shapes.append(svg_line(x(guide), 26, x(guide), bottom - 6, "zero"))
    for number, (name, one) in enumerate(rows):
        height = 44 + 26 * number
        shapes += [
            svg_text(160, height + 4, name, "end", "name"),
            svg_line(x(one.low), height, x(one.high), height, "whisker"),
            f'<circle cx="{x(one.value)}" cy="{height}" r="4.5" class="dot"/>',
        ]
    return svg_chart(bottom + 20, label, shapes)


def bars_chart(rows: Sequence[tuple[str, float, float]], first: str, second: str) -> str:
    """Two measures of each name: the first, not negative, as a bar, the second as a dot on a scale of its own."""
    bottom = 40 + 20 * len(rows)
    x = Axis(0, max([gain for _, gain, _ in rows] + [1e-9]) * 1.05, 250, 470)
    other = axis([drop for _, _, drop in rows] + [0.0], 500, WIDTH - 30)
    shapes = [svg_text(x.start, 14, first), svg_text(other.start, 14, second)]
    for scale, form in ((x, percent), (other, signed)):
        for tick in scale.ticks(3):
            shapes += [
                svg_line(scale(tick), 26, scale(tick), bottom - 4, "zero" if abs(tick) < 1e-12 else "grid"),
                svg_text(scale(tick), bottom + 12, form(tick), "middle"),
            ]
    for number, (name, gain, drop) in enumerate(rows):
        height = 32 + 20 * number
        shapes += [
            svg_text(240, height + 9, name, "end", "name"),
            f'<rect x="{x(0)}" y="{height}" width="{round(x(gain) - x(0), 2)}" height="12" rx="2" class="bar"/>',
            f'<circle cx="{other(drop)}" cy="{height + 6}" r="4" class="other"/>',
        ]
    return svg_chart(bottom + 20, f"{first}; {second}", shapes)


def histogram_chart(values: Sequence[float], label: str, bins: int = 24) -> str:
    """How many tickers have which value."""
    x = axis([*values, 0.0], 60, WIDTH - 10)
    width = (x.high - x.low) / bins
    counts = [0] * bins
    for value in values:
        counts[min(int((value - x.low) / width), bins - 1)] += 1
    y = Axis(0, max(counts) * 1.08, 200, 30)
    shapes = _frame(x, y, "tickers", lambda tick: f"{tick:.4g}")
    for number, count in enumerate(counts):
        left, right = x(x.low + number * width) + 1, x(x.low + (number + 1) * width) - 1
        shapes.append(
            f'<rect x="{left}" y="{y(count)}" width="{round(right - left, 2)}" height="{round(200 - y(count), 2)}" '
            'rx="2" class="bar"/>'
        )
    shapes += [svg_text(x(tick), 220, signed(tick), "middle") for tick in x.ticks(8)]
    shapes += [svg_line(x(0), 30, x(0), 200, "zero"), svg_text(x.end, 238, label, "end")]
    return svg_chart(244, label, shapes)
