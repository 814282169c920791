"""How fast a backlog is worked off."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
from sqlalchemy import Engine, func, select

from riskee.errors import FatalError
from riskee.storage.tables.live import predictions, quotes
from serving.bench.latency import unseen
from serving.bench.plan import Plan, Sent
from serving.bench.probe import Seen
from serving.bench.processes import CpuLog, started_at
from serving.bench.rig import FLOOR, PRODUCT, Rig

BACKLOG_RATE = 100_000.0
"""Quotes of a backlog are as far apart as at this rate a second; it sets their order and nothing else."""
_POLL_SECONDS = 0.1
# Left out of the rate: what comes while the first batches still meet the start.
_SETTLING = 0.1
PATIENCE_SECONDS = 120.0
"""So long after a load what has not come counts as missing."""

Moments = Literal["own", "round"]


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """A backlog worked off. Rates are a second; `cpu_us` is microseconds of a processor for each event or row."""

    what: str
    messages: int
    # Different events, or rows that the database counts; of quotes of which a later one came too there may be none.
    done: int
    # Quotes without an event or rows that are not there; and quotes that the bus did not take.
    missing: int
    refused: int = 0
    a_second: float
    cpu_us: dict[str, float]
    # From the start of the process to the first event, where a process was started.
    first_after: float | None = None


@dataclass
class _Acknowledged:
    """How many messages of each durable are left, noted over time."""

    rig: Rig
    durables: tuple[str, ...]
    notes: list[tuple[float, dict[str, int]]] = field(default_factory=list)

    def note(self) -> int:
        left = {name: count for name, count in self.rig.backlog().items() if name in self.durables}
        self.notes.append((time.time(), left))
        return sum(left.values())

    @contextmanager
    def running(self) -> Iterator[None]:
        ended = threading.Event()

        def loop() -> None:
            while not ended.wait(_POLL_SECONDS):
                self.note()

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def rate(self) -> tuple[float, float, float]:
        """Messages a second while they were worked off, and from when to when that was."""
        totals = [(at, sum(left.values())) for at, left in self.notes]
        falls = [(earlier, later) for earlier, later in pairwise(totals) if later[1] < earlier[1]]
        (first, most), (last, least) = falls[0][0], falls[-1][1]
        return (most - least) / (last - first), first, last


@dataclass
class Drains:
    """Measures the drains of one size of market. The services are running and idle before and after."""

    rig: Rig
    tickers: int
    count: int
    engine: Engine

    def all(self, moments: Moments) -> list[Drain]:
        """predict by itself, then record by itself, then both together."""
        rig = self.rig
        rig.stop("record")
        alone = self.predict(moments)
        found = [alone, self.record()]
        rig.stop("predict", "record")
        return [*found, *self._together(moments)]

    def predict(self, moments: Moments) -> Drain:
        """Events a second of a predict that finds a backlog when it starts."""
        self.rig.stop("predict")
        plan = self._plan(moments)
        with self.rig.probe(PRODUCT, plan, everything=False, patience=PATIENCE_SECONDS) as seen:
            sent = self._load(plan)
            with self._started("predict") as (log, started):
                found = seen()
        return drained(f"predict, {_TOLD[moments]}", plan, sent, found, log, started)

    def floor(self, moments: Moments, *style: str) -> Drain:
        """Events a second of a floor that finds a backlog when it starts; of one as usually written, where so asked."""
        with self.rig.floor():
            pass  # its place in the stream is made, from which it finds what comes
        plan = self._plan(moments, subject=FLOOR.quote_subject, stream=FLOOR.quote_stream)
        with self.rig.probe(FLOOR, plan, everything=False, patience=PATIENCE_SECONDS) as seen:
            sent = self._load(plan)
            with self.rig.floor(*style):
                log = CpuLog(self.rig.pids() | self.rig.floors)
                with log.running():
                    found = seen()
        name = "floor as usually written" if style else "floor"
        return drained(f"{name}, {_TOLD[moments]}", plan, sent, found, log, None)

    def record(self) -> Drain:
        """Rows a second of a record that finds quotes and predictions when it starts."""
        acknowledged = _Acknowledged(self.rig, ("record-quotes", "record-predictions"))
        left, before = acknowledged.note(), self._rows()
        with acknowledged.running(), self._started("record") as (log, _):
            self.rig.await_quiet("record-quotes", "record-predictions")
            time.sleep(2 * _POLL_SECONDS)
        rate, first, last = acknowledged.rate()
        return recorded("record", left, self._rows() - before, rate, log.between(first, last))

    def _together(self, moments: Moments) -> list[Drain]:
        plan = self._plan(moments)
        acknowledged = _Acknowledged(self.rig, ("record-quotes", "record-predictions"))
        before = self._rows()
        with self.rig.probe(PRODUCT, plan, everything=False, patience=PATIENCE_SECONDS) as seen:
            sent = self._load(plan)
            with acknowledged.running(), self._started("predict", "record") as (log, started):
                found = seen()
                self.rig.await_quiet("record-quotes", "record-predictions")
                time.sleep(2 * _POLL_SECONDS)
        events = drained("predict beside record", plan, sent, found, log, started)
        # What predict publishes meanwhile is not in any count of what was left: the database's rows are counted.
        first, last = acknowledged.rate()[1:]
        wanted, rows = sent.accepted + events.done, self._rows() - before
        rate = rows / (last - first)
        return [events, recorded("record beside predict", wanted, rows, rate, log.between(first, last))]

    def _load(self, plan: Plan) -> Sent:
        sent = self.rig.load(plan)
        if sent is None:
            raise FatalError("the load did not send a backlog", "only paced loads may be late: this is a defect")
        return sent

    def _rows(self) -> int:
        """The rows of quotes and predictions."""
        with self.engine.connect() as connection:
            return sum(
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (quotes, predictions)
            )

    def _plan(self, moments: Moments, subject: str = "", stream: str = "") -> Plan:
        plan = self.rig.plan(PRODUCT, self.tickers, BACKLOG_RATE, self.count, paced=False)
        plan = msgspec.structs.replace(plan, moments=moments, start=round(time.time(), 6))
        return msgspec.structs.replace(plan, subject=subject, stream=stream) if subject else plan

    @contextmanager
    def _started(self, *names: str) -> Iterator[tuple[CpuLog, float]]:
        """Start services; a running log of all processes, and when the first of them was started.

        They begin to work before they say that they are ready, so nobody waits for that before the log begins.
        """
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(self.rig.processes.start, *names)
            while not set(names) <= set(pids := self.rig.pids()) and not starting.done():
                time.sleep(_POLL_SECONDS)
            log = CpuLog(pids)
            with log.running():
                yield log, started_at(pids[names[0]])
            starting.result()


_TOLD: Mapping[Moments, str] = {"own": "each quote of its own time", "round": "the quotes of a round of one time"}


def drained(what: str, plan: Plan, sent: Sent, seen: Seen, log: CpuLog, started: float | None) -> Drain:
    """The drain of a backlog of quotes, by what was seen of it; `started` is when its worker was."""
    stored = np.sort(np.array(seen.stored))
    skipped = int(len(stored) * _SETTLING)
    first, last = (stored[skipped], stored[-1]) if len(stored) else (0.0, 0.0)
    counted = len(stored) - skipped - 1
    return Drain(
        what=what,
        messages=plan.count,
        done=len({(number, round(due, 6)) for number, due, _ in seen.event}),
        missing=unseen(plan, seen.event),
        refused=sent.sent - sent.accepted,
        a_second=round(counted / (last - first)) if last > first else 0.0,
        cpu_us=_each(log.between(first, last), counted),
        first_after=None if started is None or not len(stored) else round(float(stored[0]) - started, 2),
    )


def recorded(what: str, wanted: int, rows: int, rate: float, spent: Mapping[str, float]) -> Drain:
    """The drain of messages that become a row each, of which the database counts so many more than before."""
    return Drain(
        what=what,
        messages=wanted,
        done=rows,
        missing=max(wanted - rows, 0),
        a_second=round(rate),
        cpu_us=_each(spent, rows),
    )


def _each(seconds: Mapping[str, float], count: int) -> dict[str, float]:
    return {name: round(spent / max(count, 1) * 1e6, 1) for name, spent in seconds.items()}
