"""The measurement of the live path as a whole: which loads, in which order."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine

from serving.bench import floor, kernel
from serving.bench.drain import Drain, Drains
from serving.bench.limits import LimitBench
from serving.bench.loads import ALONE, BARE, DURABLES, SERVING, WHOLE, Kind, Load, measure, repeated_bursts
from serving.bench.machine import describe, load_average
from serving.bench.market import LEAVES, SESSIONS, TREES, MadeMarket, crown, fill
from serving.bench.options import Options
from serving.bench.processes import busy_seconds, cpu_seconds, parent_of
from serving.bench.result import Measured
from serving.bench.rig import PRODUCT, SERVICES, Rig
from serving.bench.targets import PAIR_RATE

_WARM_UP_RATE = 2000


@dataclass
class LiveBench:
    """Measures once, with servers of its own whose database is migrated and empty."""

    rig: Rig
    engine: Engine
    options: Options
    found: Measured = field(init=False)

    def run(self) -> Measured:
        """Measure. Raises FatalError where the machine is too busy for it."""
        before, began = load_average(), time.monotonic()
        busy, ours = busy_seconds(), self._ours()
        self.found = Measured(
            machine=describe(before),
            model=f"{TREES} trees of {LEAVES} leaves, as training makes them",
            sessions=SESSIONS,
            options=self.options,
            differences=floor.DIFFERENCES,
        )
        with self.engine.begin() as connection:
            crown(connection, datetime.now(UTC))
        for tickers in self.options.tickers:
            if set(self.options.only) - {"kernel"}:
                self._measure(tickers)
        if "kernel" in self.options.only:
            for tickers in self.options.tickers:
                self.found.kernel += kernel.measure(tickers)
                self.rig.tell(f"kernel, {tickers:,} tickers: done")
        self.found.memory_mib = {name: round(mib) for name, mib in self.rig.memory.items()}
        self.found.machine, self.found.seconds = describe(before), round(time.monotonic() - began, 1)
        others = busy_seconds() - busy - (self._ours() - ours)
        self.found.others = round(max(others, 0.0) / (self.found.machine.cores * self.found.seconds), 3)
        return self.found

    def _ours(self) -> float:
        """Seconds of a processor of this process and of the servers' supervisor, with all that they started."""
        return cpu_seconds(os.getpid()) + cpu_seconds(parent_of(self.rig.pids()["nats"]))

    def _measure(self, tickers: int) -> None:
        only, largest = self.options.only, tickers == max(self.options.tickers)
        with self._market(tickers) as market:
            if "load" in only:
                self._loads(tickers)
            if "burst" in only:
                self._bursts(market)
            if "drain" in only and largest:
                self._drain(tickers)
            if "limits" in only and largest:
                self.found.limits = LimitBench(self.rig.settings, self.engine, tickers).run()
                self.rig.tell(f"limits: {self.found.limits}")
            if "burst" in only:
                self._openings(market)

    @contextmanager
    def _market(self, tickers: int) -> Iterator[MadeMarket]:
        """A market of this size, and predict that has had its first quotes; the other services are stopped."""
        began = time.monotonic()
        with self.engine.begin() as connection:
            market = fill(connection, tickers, datetime.now(UTC))
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
        self.rig.feed, self.rig.today = f"bench/{tickers}", market.today
        self.rig.tell(f"{tickers:,} tickers with {SESSIONS} sessions stored in {time.monotonic() - began:.1f} s")
        try:
            self.rig.processes.start("predict")
            self.rig.run(PRODUCT, tickers, _WARM_UP_RATE, tickers, everything=False, patience=60)
            yield market
        finally:
            self.rig.stop(*SERVICES)

    def _loads(self, tickers: int) -> None:
        """Every rate, observed everywhere; with one size of market, first predict and all services beside the floor."""
        options = self.options
        paired = tickers == options.pair

        def loads(kinds: Sequence[Kind], rate: int, repeats: int) -> None:
            self._note_loads(self.found.loads, measure(self.rig, kinds, tickers, rate, options.seconds, repeats))

        if paired:
            at = PAIR_RATE if PAIR_RATE in options.rates else max(options.rates)
            with self.rig.floor():
                loads([BARE, ALONE], at, options.repeats)
                self._all_services()
                loads([BARE, SERVING], at, options.repeats)
        self._all_services()
        for rate in options.rates:
            loads([WHOLE], rate, options.product_repeats)

    def _bursts(self, market: MadeMarket) -> None:
        """Every ticker at once, in the middle of a session."""
        self._all_services()
        self._note_loads(self.found.bursts, measure(self.rig, [WHOLE], market.tickers, 0, 0, self.options.repeats))

    def _openings(self, market: MadeMarket) -> None:
        """The same with the first quotes of sessions; last, for after them no quote of an earlier session counts."""
        self._all_services()
        sessions = market.following[: self.options.repeats]
        self._note_loads(self.found.openings, [repeated_bursts(self.rig, market.tickers, sessions)])

    def _all_services(self) -> None:
        self.rig.processes.start(*SERVICES)
        self.rig.await_quiet(*DURABLES)

    def _drain(self, tickers: int) -> None:
        self._all_services()
        drains = Drains(self.rig, tickers, self.options.backlog, self.engine)
        for _ in range(self.options.repeats):
            self._note_drains(drains.all("own"))
            self._note_drains([drains.floor("own"), drains.floor("own", floor.USUAL)])
        self._note_drains([drains.predict("round")])
        self.rig.await_quiet(*DURABLES)

    def _note_drains(self, drains: Sequence[Drain]) -> None:
        for drain in drains:
            self.found.drains.append(drain)
            done = f"{drain.done:,} of {drain.messages:,}, {drain.missing} missing, {drain.a_second:,.0f} a second"
            self.rig.tell(f"{drain.what}: {done}, {_told(drain.cpu_us)}")

    def _note_loads(self, where: list[Load], loads: Sequence[Load]) -> None:
        for load in loads:
            where.append(load)
            seen = ", ".join(f"{name} {each.p50:.1f}/{each.p99:.1f}" for name, each in load.latency.items())
            self.rig.tell(
                f"{load.target}, {load.tickers:,} tickers, {load.rate:,}/s: p50/p99 ms {seen}; {_told(load.cpu_us)};"
                f" {load.events:,} events of {load.quotes:,} quotes, {load.lost} missing, lag {load.lag_ms:.1f} ms"
                f"{', VOID' if load.void else ''}"
            )


def _told(cpu_us: dict[str, float]) -> str:
    return ", ".join(f"{name} {spent:.0f}" for name, spent in cpu_us.items()) + " us"
