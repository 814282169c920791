"""Loads at a steady rate and bursts, repeated, and what they say together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median, median_high

import msgspec
import numpy as np

from riskee.market.bars import Floats
from serving.bench.latency import Latency, latency_of, unseen, until_seen
from serving.bench.rig import FLOOR, PRODUCT, Observed, Rig, Target

# Quotes that are due earlier find caches cold, connections unused and, in the first load, code not yet run.
WARM_UP_SECONDS = 1.0
# A generator that is later than this with one quote in a hundred measures itself; unless that is a small part of what
# it measured, as where the product falls behind.
LONGEST_LAG_MS, LONGEST_LAG_SHARE = 5.0, 0.1
DURABLES = ("predict-quotes", "record-quotes", "record-predictions")
SAMPLED = ("redis", "database")
"""Where the effects of some quotes are looked for, not of all."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One repeat of a load that counts: milliseconds to the durable event, microseconds of a processor by process."""

    p99: float
    cpu_us: dict[str, float]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One load at one rate, repeated: medians, of two repeats the worse. A `rate` of 0 is a burst of one quote of every
    ticker at once. Of SAMPLED places one repeat has too few values: there the percentiles are of all repeats together.

    `beside` is what it was measured in turn with; `latency` has milliseconds from when a quote was due by where its
    effect was seen, `cpu_us` microseconds of a processor for each quote by process. `events` are of one repeat, fewer
    than quotes where several of a ticker became one; `missing` are quotes of all repeats without any effect, by where
    it was looked for. `void`: the generator lagged in every repeat. `turns` are the repeats that count; of loads that
    were measured in turn, those of the same turns.
    """

    target: str
    beside: str
    tickers: int
    rate: int
    quotes: int
    repeats: int
    events: int
    missing: dict[str, int]
    refused: int
    latency: dict[str, Latency]
    cpu_us: dict[str, float]
    lag_ms: float
    void: bool
    turns: list[Turn]

    @property
    def lost(self) -> int:
        """Quotes that were refused or had no effect, counted at each place where it was looked for."""
        return sum(self.missing.values()) + self.refused


Kind = tuple[str, Target, bool]
WHOLE: Kind = ("product", PRODUCT, True)
# The same services, observed as the floor is: what the observation takes meets both alike.
SERVING: Kind = ("all services", PRODUCT, False)
ALONE: Kind = ("predict alone", PRODUCT, False)
BARE: Kind = ("floor", FLOOR, False)


def measure(rig: Rig, kinds: Sequence[Kind], tickers: int, rate: int, seconds: float, repeats: int) -> list[Load]:
    """Measure kinds of load in turn, again and again, so that what else the machine does meets them all."""
    count = int(rate * (WARM_UP_SECONDS + seconds)) if rate else tickers
    turns: list[list[Observed]] = []
    for _ in range(repeats):
        turns.append([])
        for _, target, everything in kinds:
            turns[-1].append(rig.run(target, tickers, rate, count, everything=everything))
            rig.await_quiet(*DURABLES)
    return side_by_side([name for name, _, _ in kinds], turns)


def side_by_side(names: Sequence[str], turns: Sequence[Sequence[Observed]]) -> list[Load]:
    """The loads of these names, measured in turn; a turn in which one of them is void counts for none of them."""
    kept = [turn for turn in turns if all(map(_in_time, turn))]
    return [
        _load(
            name,
            [turn[place] for turn in turns],
            [turn[place] for turn in kept],
            ", ".join(other for other in names if other != name),
        )
        for place, name in enumerate(names)
    ]


def repeated_bursts(rig: Rig, tickers: int, sessions: Sequence[date]) -> Load:
    """The first quotes of one session after the other, of every ticker at once."""
    found = []
    for session in sessions:
        rig.today = session
        found.append(rig.run(PRODUCT, tickers, 0, tickers, everything=True))
        rig.await_quiet(*DURABLES)
    return together("product", found)


def together(name: str, observed: Sequence[Observed]) -> Load:
    """The medians of repeats; of those whose generator kept its times, where there are such."""
    return _load(name, observed, [each for each in observed if _in_time(each)], "")


def _load(name: str, observed: Sequence[Observed], kept: Sequence[Observed], beside: str) -> Load:
    used = kept or observed
    waited = [waits(each) for each in used]
    found = [_latencies(each) for each in waited]
    cpu = [{process: spent / each.plan.count * 1e6 for process, spent in each.cpu.items()} for each in used]
    plan = used[0].plan
    return Load(
        target=name,
        beside=beside,
        tickers=plan.tickers,
        rate=int(plan.rate),
        quotes=plan.count,
        repeats=len(used),
        events=int(median(len(each.seen.stored) for each in used)),
        missing=_missing(observed),
        refused=sum(each.sent.sent - each.sent.accepted for each in observed),
        latency=_medians(found) | _pooled(waited),
        cpu_us={process: round(median_high(each[process] for each in cpu), 1) for process in cpu[0]},
        lag_ms=median(each.sent.lag_ms[1] for each in observed),
        void=not kept,
        turns=[
            Turn(p99=latency["event"].p99, cpu_us=spent)
            for latency, spent in zip(found, cpu, strict=True)
            if "event" in latency
        ],
    )


def _missing(observed: Sequence[Observed]) -> dict[str, int]:
    """Quotes without an effect in all repeats; of Redis and the database of those that were asked for."""
    missing: Counter[str] = Counter()
    for each in observed:
        missing["event"] += unseen(each.plan, each.seen.event)
        if each.everything:
            missing["websocket"] += unseen(each.plan, each.seen.websocket)
        missing.update(each.seen.unseen)
    return dict(missing)


def _in_time(observed: Observed) -> bool:
    """Whether the generator kept its times. Of a burst every quote but the first is late, however fast it is sent."""
    lag, latency = observed.sent.lag_ms[1], _latencies(waits(observed))
    measured = latency["event"].p99 if "event" in latency else 0.0
    return not observed.plan.rate or lag <= max(LONGEST_LAG_MS, LONGEST_LAG_SHARE * measured)


def waits(observed: Observed) -> dict[str, Floats]:
    """Where the effects of one load were seen, and how many milliseconds (quotes,) after these were due."""
    plan, seen = observed.plan, observed.seen
    warm = plan.start + WARM_UP_SECONDS if plan.rate else plan.start
    stored = [(number, due, at) for (number, due, _), at in zip(seen.event, seen.stored, strict=True)]
    counted = plan.due() >= warm
    whole = {"event": seen.event, "stored": stored, "websocket": seen.websocket}
    found = {name: until_seen(plan, effects)[counted] for name, effects in whole.items()}
    for name, effects in zip(SAMPLED, (seen.redis, seen.database), strict=True):
        found[name] = np.array([at - due for _, due, at in effects if due >= warm])
    return {name: seconds[np.isfinite(seconds)] * 1000 for name, seconds in found.items()}


def _latencies(waited: Mapping[str, Floats]) -> dict[str, Latency]:
    """The percentiles of each place that has values."""
    answers = {name: latency_of(milliseconds) for name, milliseconds in waited.items()}
    return {name: latency for name, latency in answers.items() if latency is not None}


def _pooled(repeats: Sequence[Mapping[str, Floats]]) -> dict[str, Latency]:
    """The percentiles of what was sampled, of all repeats together."""
    return _latencies({name: np.concatenate([each[name] for each in repeats]) for name in SAMPLED})


def _medians(repeats: Sequence[Mapping[str, Latency]]) -> dict[str, Latency]:
    names = [name for name in repeats[0] if all(name in each for each in repeats)]
    fields = [field for field in Latency.__struct_fields__ if field != "count"]
    return {
        name: Latency(
            count=min(each[name].count for each in repeats),
            **{field: median_high(getattr(each[name], field) for each in repeats) for field in fields},
        )
        for name in names
    }
