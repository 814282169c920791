"""What several predictors do together: a backlog worked off, and the wait when one of them is killed."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np
from sqlalchemy import Engine

from riskee.errors import FatalError
from riskee.storage.bus import Bus
from serving.bench.latency import unseen, until_seen
from serving.bench.machine import Machine, describe, load_average
from serving.bench.market import crown, fill
from serving.bench.plan import Plan
from serving.bench.probe import Seen
from serving.bench.processes import CpuLog
from serving.bench.rig import PRODUCT, SERVERS, Rig

# Quotes of a backlog are as far apart as this; it sets their order and nothing else.
_ORDER_RATE = 100_000.0
_STEADY_RATE = 500.0
_STEADY_SECONDS = 12.0
_KILL_AFTER_SECONDS = 4.0
# For the load process to make its messages and the probe to connect.
_PREPARE_SECONDS = 8.0
_PATIENCE_SECONDS = 120.0
_ENDING_SECONDS = 30.0
# Left out of the rate: what comes while the load is still being sent.
_SETTLING = 0.1


class Scaled(msgspec.Struct, frozen=True, kw_only=True):
    """What so many predictors did, each with a partition of its own.

    `a_second` is durable events a second, `cpu_us` microseconds of a processor for each, all predictors together.
    `longest_wait` is the longest from when a quote was due to its event, in seconds, at a steady rate while one of them
    is killed, and `lost` the quotes without any event meanwhile; None where one is alone.
    """

    predictors: int
    messages: int
    done: int
    missing: int
    a_second: int
    cpu_us: dict[str, float]
    longest_wait: float | None
    lost: int | None


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement, and the machine, whose processors the predictors, the servers and the load share."""

    machine: Machine
    tickers: int
    steady_rate: float
    found: list[Scaled]


@dataclass
class ScaleBench:
    """Measures with servers of its own, whose database is migrated and empty, and predictors of its own."""

    rig: Rig
    engine: Engine
    tickers: int
    backlog: int

    def run(self, counts: Sequence[int]) -> Scaling:
        """Measure each number of predictors. Raises FatalError where the machine is too busy for it."""
        before = load_average()
        asyncio.run(self._make_streams())
        with self.engine.begin() as connection:
            crown(connection, datetime.now(UTC))
            self.rig.today = fill(connection, self.tickers, datetime.now(UTC)).today
        found = []
        for count in counts:
            # Another feed has other ids, so the bus does not take its quotes for those of the last one.
            self.rig.feed = f"bench/scale-{count}"
            with self._predictors(count) as running:
                found.append(self._measure(running))
            self.rig.tell(f"{found[-1]}")
        return Scaling(machine=describe(before), tickers=self.tickers, steady_rate=_STEADY_RATE, found=found)

    async def _make_streams(self) -> None:
        bus = await Bus.connect(self.rig.settings.nats, "bench", timeout=10.0)
        await bus.ensure_streams()
        await bus.close()

    def _measure(self, running: Sequence[subprocess.Popen[bytes]]) -> Scaled:
        count = len(running)
        self._carry_out(self._plan(count, _ORDER_RATE, self.tickers))
        pids = {name: pid for name, pid in self.rig.processes.pids().items() if name in SERVERS}
        log = CpuLog(pids | {f"predict-{number}": process.pid for number, process in enumerate(running)})
        plan = self._plan(count, _ORDER_RATE, self.backlog)
        with log.running():
            seen = self._carry_out(plan)
        stored = np.sort(np.array(seen.stored))
        first, last = (stored[int(len(stored) * _SETTLING)], stored[-1]) if len(stored) else (0.0, 0.0)
        counted = int((stored > first).sum())
        spent = log.between(float(first), float(last))
        spent["predict"] = sum(spent.pop(name) for name in [*spent] if name.startswith("predict-"))
        longest, lost = self._wait(running) if count > 1 else (None, None)
        return Scaled(
            predictors=count,
            messages=plan.count,
            done=len({(number, round(due, 6)) for number, due, _ in seen.event}),
            missing=unseen(plan, seen.event),
            a_second=round(counted / (last - first)) if last > first else 0,
            cpu_us={name: round(seconds / max(counted, 1) * 1e6, 1) for name, seconds in spent.items()},
            longest_wait=longest,
            lost=lost,
        )

    def _wait(self, running: Sequence[subprocess.Popen[bytes]]) -> tuple[float | None, int]:
        """The longest wait at a steady rate while the last of the predictors is killed, and how many waited in vain."""
        plan = self._plan(len(running), _STEADY_RATE, int(_STEADY_RATE * _STEADY_SECONDS))
        plan = msgspec.structs.replace(plan, paced=True, start=round(time.time() + _PREPARE_SECONDS, 6))
        killing = threading.Timer(plan.start + _KILL_AFTER_SECONDS - time.time(), running[-1].kill)
        killing.start()
        seen = self._carry_out(plan)
        killing.join()
        return waited(plan, seen)

    def _carry_out(self, plan: Plan) -> Seen:
        """Send a load, and see what comes of it."""
        with self.rig.probe(PRODUCT, plan, everything=False, patience=_PATIENCE_SECONDS) as seen:
            if self.rig.load(plan) is None:
                raise FatalError("this machine is too busy to prepare a load", "measure when it is quiet")
            return seen()

    def _plan(self, partitions: int, rate: float, count: int) -> Plan:
        plan = self.rig.plan(PRODUCT, self.tickers, rate, count, paced=False)
        return msgspec.structs.replace(plan, partitions=partitions)

    @contextmanager
    def _predictors(self, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        environment = {
            **os.environ,
            "RISKEE_PREDICT__PARTITIONS": str(count),
            "RISKEE_METRICS__PREDICT_PORT": "0",
            "RISKEE_LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "serving.consumers.predict"]
        running = [
            subprocess.Popen(command, env=environment, stdout=sys.stderr)  # noqa: S603 (our own)
            for _ in range(count)
        ]
        try:
            yield running
        finally:
            for process in running:
                process.terminate()
            for process in running:
                try:
                    process.wait(_ENDING_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def waited(plan: Plan, seen: Seen) -> tuple[float | None, int]:
    """The longest wait of the quotes that had an event, in seconds, and how many had none."""
    seconds = until_seen(plan, seen.event)
    found = seconds[np.isfinite(seconds)]
    return (round(float(found.max()), 2) if len(found) else None), len(seconds) - len(found)
