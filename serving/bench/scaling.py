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
from typing import Literal

import msgspec
import numpy as np
from sqlalchemy import Engine

from riskee.storage.bus import Bus
from serving.bench.drain import BACKLOG_RATE, PATIENCE_SECONDS, drained
from serving.bench.latency import until_seen
from serving.bench.machine import Machine, describe, load_average
from serving.bench.market import crown, fill
from serving.bench.plan import Plan, Sent
from serving.bench.probe import Seen
from serving.bench.processes import CpuLog
from serving.bench.rig import PRODUCT, SERVERS, Rig, end, too_busy

_STEADY_RATE = 500.0
_STEADY_SECONDS = 12.0
_KILL_AFTER_SECONDS = 4.0
# For the load process to make its messages and the probe to connect.
_PREPARE_SECONDS = 8.0


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
    seconds: float
    found: list[Scaled]
    kind: Literal["scale"] = "scale"


@dataclass
class ScaleBench:
    """Measures with servers of its own, whose database is migrated and empty, and predictors of its own."""

    rig: Rig
    engine: Engine
    tickers: int
    backlog: int

    def run(self, counts: Sequence[int]) -> Scaling:
        """Measure each number of predictors. Raises FatalError where the machine is too busy for it."""
        before, began = load_average(), time.monotonic()
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
        seconds = round(time.monotonic() - began, 1)
        return Scaling(
            machine=describe(before), tickers=self.tickers, steady_rate=_STEADY_RATE, seconds=seconds, found=found
        )

    async def _make_streams(self) -> None:
        bus = await Bus.connect(self.rig.settings.nats, "bench", timeout=10.0)
        await bus.ensure_streams()
        await bus.close()

    def _measure(self, running: Sequence[subprocess.Popen[bytes]]) -> Scaled:
        count = len(running)
        self._carry_out(self._plan(count, BACKLOG_RATE, self.tickers))
        pids = {name: pid for name, pid in self.rig.processes.pids().items() if name in SERVERS}
        log = CpuLog(pids | {f"predict-{number}": process.pid for number, process in enumerate(running)})
        plan = self._plan(count, BACKLOG_RATE, self.backlog)
        with log.running():
            sent, seen = self._carry_out(plan)
        found = drained(f"{count} predictors", plan, sent, seen, log, None)
        each = dict(found.cpu_us)
        each["predict"] = round(sum(each.pop(name) for name in found.cpu_us if name.startswith("predict-")), 1)
        longest, lost = self._wait(running) if count > 1 else (None, None)
        return Scaled(
            predictors=count,
            messages=found.messages,
            done=found.done,
            missing=found.missing,
            a_second=round(found.a_second),
            cpu_us=each,
            longest_wait=longest,
            lost=lost,
        )

    def _wait(self, running: Sequence[subprocess.Popen[bytes]]) -> tuple[float | None, int]:
        """The longest wait at a steady rate while the last of the predictors is killed, and how many waited in vain."""
        plan = self._plan(len(running), _STEADY_RATE, int(_STEADY_RATE * _STEADY_SECONDS))
        plan = msgspec.structs.replace(plan, paced=True, start=round(time.time() + _PREPARE_SECONDS, 6))
        killing = threading.Timer(plan.start + _KILL_AFTER_SECONDS - time.time(), running[-1].kill)
        killing.start()
        _, seen = self._carry_out(plan)
        killing.join()
        return waited(plan, seen)

    def _carry_out(self, plan: Plan) -> tuple[Sent, Seen]:
        """Send a load, and see what comes of it."""
        with self.rig.probe(PRODUCT, plan, everything=False, patience=PATIENCE_SECONDS) as seen:
            sent = self.rig.load(plan)
            if sent is None:
                raise too_busy()
            return sent, seen()

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
            end(*running)


def waited(plan: Plan, seen: Seen) -> tuple[float | None, int]:
    """The longest wait of the quotes that had an event, in seconds, and how many had none."""
    seconds = until_seen(plan, seen.event)
    found = seconds[np.isfinite(seconds)]
    return (round(float(found.max()), 2) if len(found) else None), len(seconds) - len(found)
