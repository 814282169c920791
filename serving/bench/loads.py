"""Loads at a steady rate and bursts, repeated, and what they say together."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from statistics import median

import msgspec
import numpy as np

from riskee.market.bars import Floats
from serving.bench.latency import Latency, latency_of, until_seen
from serving.bench.rig import FLOOR, PRODUCT, Observed, Rig, Target

# Quotes that are due earlier find caches cold, connections unused and, in the first load, code not yet run.
WARM_UP_SECONDS = 1.0
# A generator that is later than this with one quote in a hundred measures itself; unless that is a small part of what
# it measured, as where the product falls behind.
LONGEST_LAG_MS, LONGEST_LAG_SHARE = 5.0, 0.1
DURABLES = ("predict-quotes", "record-quotes", "record-predictions")


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One load at one rate, repeated: medians. A `rate` of 0 is a burst of one quote of every ticker at once.

    `beside` is what it was measured in turn with; `latency` has milliseconds from when a quote was due by where its
    effect was seen, `cpu_us` microseconds of a processor for each quote by process. `events` are of one repeat, fewer
    than quotes where several of a ticker became one; `missing` are quotes of all repeats without any effect. `void`:
    the generator lagged in every repeat.
    """

    target: str
    beside: str
    tickers: int
    rate: int
    quotes: int
    repeats: int
    events: int
    missing: int
    refused: int
    latency: dict[str, Latency]
    cpu_us: dict[str, float]
    lag_ms: float
    void: bool


Kind = tuple[str, Target, bool]
WHOLE: Kind = ("product", PRODUCT, True)
ALONE: Kind = ("predict alone", PRODUCT, False)
BARE: Kind = ("floor", FLOOR, False)


def measure(rig: Rig, kinds: Sequence[Kind], tickers: int, rate: int, seconds: float, repeats: int) -> list[Load]:
    """Measure kinds of load in turn, again and again, so that what else the machine does meets them all."""
    count = int(rate * (WARM_UP_SECONDS + seconds)) if rate else tickers
    found: dict[str, list[Observed]] = {name: [] for name, _, _ in kinds}
    for _ in range(repeats):
        for name, target, everything in kinds:
            found[name].append(rig.run(target, tickers, rate, count, everything=everything))
            rig.await_quiet(*(DURABLES if everything else DURABLES[:1]))
    names = list(found)
    return [
        together(name, observed, ", ".join(other for other in names if other != name))
        for name, observed in found.items()
    ]


def repeated_bursts(rig: Rig, tickers: int, sessions: Sequence[date]) -> Load:
    """The first quotes of one session after the other, of every ticker at once."""
    found = []
    for session in sessions:
        rig.today = session
        found.append(rig.run(PRODUCT, tickers, 0, tickers, everything=True))
        rig.await_quiet(*DURABLES)
    return together("product", found)


def together(name: str, observed: Sequence[Observed], beside: str = "") -> Load:
    """The medians of repeats; of those whose generator kept its times, where there are such."""
    found = {id(each): latencies(each) for each in observed}
    kept = [each for each in observed if _in_time(each, found[id(each)])]
    used = kept or observed
    plan = used[0].plan
    return Load(
        target=name,
        beside=beside,
        tickers=plan.tickers,
        rate=int(plan.rate),
        quotes=plan.count,
        repeats=len(used),
        events=int(median(len(each.seen.stored) for each in used)),
        missing=sum(int(np.isinf(until_seen(each.plan, each.seen.event)).sum()) for each in observed),
        refused=sum(each.sent.sent - each.sent.accepted for each in observed),
        latency=_medians([found[id(each)] for each in used]),
        cpu_us={
            process: round(median(each.cpu[process] for each in used) / plan.count * 1e6, 1) for process in used[0].cpu
        },
        lag_ms=median(each.sent.lag_ms[1] for each in observed),
        void=not kept,
    )


def _in_time(observed: Observed, latency: Mapping[str, Latency]) -> bool:
    """Whether the generator kept its times. Of a burst every quote but the first is late, however fast it is sent."""
    lag = observed.sent.lag_ms[1]
    measured = latency["event"].p99 if "event" in latency else 0.0
    return not observed.plan.rate or lag <= max(LONGEST_LAG_MS, LONGEST_LAG_SHARE * measured)


def latencies(observed: Observed) -> dict[str, Latency]:
    """Where the effects of one load were seen, and how long after."""
    plan, seen = observed.plan, observed.seen
    warm = plan.start + WARM_UP_SECONDS if plan.rate else plan.start
    stored = [(number, due, at) for (number, due, _), at in zip(seen.event, seen.stored, strict=True)]
    counted = plan.due() >= warm
    whole = {"event": seen.event, "stored": stored, "websocket": seen.websocket}
    sampled = {"redis": seen.redis, "database": seen.database}
    found: dict[str, Callable[[], Floats]] = {
        **{name: lambda effects=effects: until_seen(plan, effects)[counted] for name, effects in whole.items()},  # type: ignore[misc]
        **{
            name: lambda effects=effects: np.array([at - due for _, due, at in effects if due >= warm])  # type: ignore[misc]
            for name, effects in sampled.items()
        },
    }
    answers = {name: latency_of(_finite(of()) * 1000) for name, of in found.items()}
    return {name: latency for name, latency in answers.items() if latency is not None}


def _finite(seconds: Floats) -> Floats:
    return seconds[np.isfinite(seconds)]


def _medians(repeats: Sequence[Mapping[str, Latency]]) -> dict[str, Latency]:
    names = [name for name in repeats[0] if all(name in each for each in repeats)]
    fields = Latency.__struct_fields__
    return {
        name: Latency(**{field: median(getattr(each[name], field) for each in repeats) for field in fields})
        for name in names
    }
