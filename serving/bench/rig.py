"""What a measurement works with: the product's processes, the load, the probe and the floor."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import msgspec

from riskee.errors import FatalError, RetryableError
from riskee.messaging.streams import stream_of
from riskee.messaging.subjects import PREDICTION_UPDATED, QUOTE
from riskee.settings import Settings
from serving.bench import floor
from serving.bench.plan import Plan, Sent
from serving.bench.probe import Seen, Wanted
from serving.bench.processes import CpuLog, memory_mib

SERVICES = ("predict", "record", "api")
SERVERS = ("nats", "redis", "postgres")
# For the probe to connect, and the load to make its messages; on a busy machine it takes longer, and is found out.
_PREPARE_SECONDS, _LONGEST_PREPARE_SECONDS = 1.5, 30.0
_PREPARE_MESSAGE_SECONDS = 60e-6
_ENDING_SECONDS = 60.0
_POLL_SECONDS = 0.05

Tell = Callable[[str], None]


class Processes(Protocol):
    """The product's processes, run by whoever runs them."""

    def start(self, *names: str) -> None:
        """Start these and wait until they are ready."""

    def stop(self, *names: str) -> None:
        """Stop these and wait."""

    def pids(self) -> Mapping[str, int]:
        """The process ids of those that run."""


class NotCaughtUpError(RetryableError):
    """The product is still at work on an earlier load."""


@dataclass(frozen=True)
class Target:
    """Where quotes go in and events come out."""

    name: str
    quote_subject: str
    quote_stream: str
    event_subject: str
    event_stream: str


PRODUCT = Target(
    "product",
    QUOTE.name,
    stream_of(QUOTE.name).name,
    PREDICTION_UPDATED.name,
    stream_of(PREDICTION_UPDATED.name).name,
)
FLOOR = Target("floor", floor.QUOTE_SUBJECT, floor.QUOTE_STREAM, floor.EVENT_SUBJECT, floor.EVENT_STREAM)


@dataclass(frozen=True)
class Observed:
    """One load and what came of it. `cpu` is seconds of a processor by process, from before the load to its end."""

    plan: Plan
    sent: Sent
    seen: Seen
    cpu: Mapping[str, float]
    # Whether more than the durable events was looked for.
    everything: bool


@dataclass
class Rig:
    """Runs loads against the product or the floor."""

    settings: Settings
    processes: Processes
    monitor: str
    tell: Tell
    feed: str = ""
    today: date = date.min
    # The floor's process while it runs.
    floors: dict[str, int] = field(default_factory=dict)
    # The most that each process has held so far, in MiB.
    memory: dict[str, float] = field(default_factory=dict)
    _prepare: float = _PREPARE_SECONDS

    def plan(self, target: Target, tickers: int, rate: float, count: int, *, paced: bool = True) -> Plan:
        """A load that begins as soon as it can be prepared."""
        return Plan(
            subject=target.quote_subject,
            stream=target.quote_stream,
            feed=self.feed,
            session_date=self.today,
            tickers=tickers,
            rate=rate,
            count=count,
            start=round(time.time() + self._prepare + count * _PREPARE_MESSAGE_SECONDS, 6),
            paced=paced,
        )

    def run(
        self, target: Target, tickers: int, rate: float, count: int, *, everything: bool, patience: float = 30.0
    ) -> Observed:
        """Carry out a paced load, observed. Raises FatalError where load or probe failed."""
        while True:
            plan = self.plan(target, tickers, rate, count)
            log = CpuLog(self.pids() | self.floors)
            log.note()
            with self.probe(target, plan, everything=everything, patience=patience) as seen:
                sent = self.load(plan)
                found = seen() if sent else None
            if sent and found:
                log.note()
                return Observed(plan, sent, found, log.between(0, time.time()), everything)
            self._prepare *= 2
            if self._prepare > _LONGEST_PREPARE_SECONDS:
                raise too_busy()

    def pids(self) -> dict[str, int]:
        """Services and servers that run."""
        return {name: pid for name, pid in self.processes.pids().items() if name in (*SERVICES, *SERVERS)}

    def stop(self, *names: str) -> None:
        """Stop services, when it is noted what memory all processes hold."""
        for name, pid in self.pids().items():
            self.memory[name] = max(self.memory.get(name, 0.0), memory_mib(pid))
        self.processes.stop(*names)

    def load(self, plan: Plan) -> Sent | None:
        """Send a plan's quotes from a process of its own; None where it was not ready when they were due."""
        done = subprocess.run(
            [sys.executable, "-m", "serving.bench.load"],
            input=msgspec.json.encode(plan),
            stdout=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise FatalError("the load process failed", "its error stands above")
        return msgspec.json.decode(done.stdout, type=Sent | None)

    @contextmanager
    def probe(
        self, target: Target, plan: Plan, *, everything: bool, patience: float = 30.0
    ) -> Iterator[Callable[[], Seen]]:
        """Observe a plan from a process of its own; the function waits for what it has seen."""
        wanted = Wanted(
            plan=plan,
            subject=target.event_subject,
            stream=target.event_stream,
            everything=everything,
            patience=patience,
        )
        process = _started("serving.bench.probe", msgspec.json.encode(wanted))
        assert process.stdout  # noqa: S101 (it is a pipe)

        def seen() -> Seen:
            answer = process.stdout.read() if process.stdout else b""
            if process.wait() or not answer:
                raise FatalError(f"the probe failed ({process.returncode})", "its error stands above")
            return msgspec.json.decode(answer, type=Seen)

        try:
            yield seen
        finally:
            end(process)

    @contextmanager
    def floor(self, *style: str) -> Iterator[None]:
        """The floor's worker, of this style, for as long as the context lasts."""
        process = _started("serving.bench.floor", b"", *style)
        self.floors = {"floor": process.pid}
        try:
            yield
        finally:
            self.floors = {}
            end(process)

    def backlog(self) -> dict[str, int]:
        """Messages that each durable has not acknowledged yet, by its name."""
        with urllib.request.urlopen(f"{self.monitor}/jsz?consumers=true&streams=true", timeout=10) as answer:  # noqa: S310
            found = json.load(answer)
        return {
            consumer["name"]: consumer["num_pending"] + consumer["num_ack_pending"]
            for account in found.get("account_details", [])
            for stream in account.get("stream_detail", [])
            for consumer in stream.get("consumer_detail") or []
        }

    def await_quiet(self, *durables: str, seconds: float = 120.0) -> None:
        """Wait until nothing is left of earlier loads for the services that run.

        Raises NotCaughtUpError where that takes too long.
        """
        deadline, running = time.monotonic() + seconds, self.pids()
        wanted = [name for name in durables if name.partition("-")[0] in running]
        while left := {name: count for name, count in self.backlog().items() if count and name in wanted}:
            if time.monotonic() > deadline:
                raise NotCaughtUpError(f"messages are left after {seconds:.0f} s: {left}", "lower the rates")
            time.sleep(_POLL_SECONDS)


def _started(module: str, request: bytes, *arguments: str) -> subprocess.Popen[bytes]:
    """A process of ours that has said that it is ready."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 (our own)
    assert process.stdin  # noqa: S101 (both are pipes)
    assert process.stdout  # noqa: S101
    process.stdin.write(request)
    process.stdin.close()
    if process.stdout.readline() != b"ready\n":
        end(process)
        raise FatalError(f"{module} did not start", "its error stands above")
    return process


def too_busy() -> FatalError:
    """The error of a load that was not ready when its first quote was due."""
    return FatalError("this machine is too busy to prepare a load", "measure when it is quiet")


def end(*processes: subprocess.Popen[bytes]) -> None:
    """Ask processes to end, and see that they do."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
