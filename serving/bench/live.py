"""The measurement of the live path as a whole: which loads, in which order."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec
from sqlalchemy import Engine

from serving.bench.drain import Drain, Drains
from serving.bench.machine import Machine, describe, load_average
from serving.bench.market import LEAVES, SESSIONS, TREES, crown, fill
from serving.bench.rig import PRODUCT, Rig

Part = Literal["drain"]
PARTS: tuple[Part, ...] = get_args(Part)
DURABLES = ("predict-quotes", "record-quotes", "record-predictions")


@dataclass(frozen=True)
class Options:
    """What to measure. `backlog` is the quotes of a drain."""

    tickers: tuple[int, ...] = (100, 1000, 5000)
    rates: tuple[int, ...] = (100, 1000, 5000)
    seconds: float = 5.0
    repeats: int = 3
    backlog: int = 20_000
    only: frozenset[Part] = frozenset(PARTS)


class Measured(msgspec.Struct, kw_only=True):
    """All that was measured."""

    machine: Machine
    model: str
    sessions: int
    drains: list[Drain] = msgspec.field(default_factory=list)


@dataclass
class LiveBench:
    """Measures once, with servers of its own whose database is migrated and empty."""

    rig: Rig
    engine: Engine
    options: Options
    drains: list[Drain] = field(default_factory=list)

    def run(self) -> Measured:
        before = load_average()
        with self.engine.begin() as connection:
            crown(connection, datetime.now(UTC))
        for tickers in self.options.tickers:
            self._market(tickers)
            if "drain" in self.options.only and tickers == max(self.options.tickers):
                self._drain(tickers)
            self.rig.processes.stop("predict", "record", "api")
        return Measured(
            machine=describe(before),
            model=f"{TREES} trees of {LEAVES} leaves, as training makes them",
            sessions=SESSIONS,
            drains=self.drains,
        )

    def _market(self, tickers: int) -> None:
        """A market of this size, the services on it, and their first quotes."""
        began = time.monotonic()
        with self.engine.begin() as connection:
            market = fill(connection, tickers, datetime.now(UTC))
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
        self.rig.feed, self.rig.today = f"bench/{tickers}", market.today
        self.rig.tell(f"{tickers:,} tickers with {SESSIONS} sessions stored in {time.monotonic() - began:.1f} s")
        self.rig.processes.start("predict", "record", "api")
        self._warm_up(tickers)

    def _warm_up(self, tickers: int) -> None:
        """One quote of every ticker, so that the state is there."""
        self.rig.run(PRODUCT, tickers, 2000, tickers, everything=False, patience=60)
        self.rig.await_quiet(*DURABLES)

    def _drain(self, tickers: int) -> None:
        drains = Drains(self.rig, tickers, self.options.backlog)
        for _ in range(self.options.repeats):
            self._note(drains.all("own"))
        self._note(drains.all("round")[:1])

    def _note(self, drains: Sequence[Drain]) -> None:
        for drain in drains:
            self.drains.append(drain)
            self.rig.tell(
                f"{drain.what}: {drain.done:,} of {drain.messages:,}, {drain.a_second:,.0f} a second, {drain.cpu_us} us"
            )
