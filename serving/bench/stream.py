"""The measurement of the stream: thousands of clients of one process, beside a bare broadcast."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Literal

import msgspec
from sqlalchemy import Engine

from riskee.errors import FatalError
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import Prediction
from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.tickers import TickerInfo, write_tickers
from serving.bench.api_servers import Server, api_server, broadcast_server, get
from serving.bench.machine import describe, load_average
from serving.bench.plan import ticker_name
from serving.bench.processes import busy_seconds, cpu_seconds, parent_of, resident_kib
from serving.bench.rig import end
from serving.bench.stream_result import Crowd, Heard, StreamLoad, StreamMeasured, StreamOptions, own_tickers
from serving.bench.transport import predicted, quoted

_SETTLE_SECONDS = 2.0
_SLOW = 'riskee_stream_ended_total{reason="slow"} '

Target = Literal["product", "floor"]


@dataclass
class StreamBench:
    """Measures once, with servers of its own whose database is migrated and empty."""

    settings: Settings
    engine: Engine
    options: StreamOptions
    # The process of one of the servers.
    nats: int
    tell: Callable[[str], None]

    def run(self) -> StreamMeasured:
        """Measure. Raises FatalError where a process does not start."""
        before, began = load_average(), time.monotonic()
        busy, ours = busy_seconds(), self._ours()
        tickers = tuple(map(ticker_name, range(self.options.tickers)))
        with self.engine.begin() as connection:
            write_tickers(connection, [TickerInfo(name, name, is_index=False, source="bench") for name in tickers])
        loads = []
        plan: list[tuple[Target, int]] = [("floor", 0), ("product", 0), ("product", self.options.deaf)]
        for target, deaf in plan:
            with self._server(target) as server:
                load = self._measure(target, server, tickers, deaf)
            loads.append(load)
            self.tell(f"{load.target}, {load.deaf} deaf: {_told(load)}")
        seconds, machine = round(time.monotonic() - began, 1), describe(before)
        others = max(busy_seconds() - busy - (self._ours() - ours), 0.0) / (machine.cores * seconds)
        return StreamMeasured(
            machine=machine, options=self.options, loads=loads, seconds=seconds, others=round(others, 3)
        )

    def _ours(self) -> float:
        return cpu_seconds(os.getpid()) + cpu_seconds(parent_of(self.nats))

    @contextmanager
    def _server(self, target: Target) -> Iterator[Server]:
        clients = str(self.options.clients + self.options.deaf + 100)
        limits = {"RISKEE_STREAM__CONNECTIONS": clients, "RISKEE_STREAM__CONNECTIONS_PER_ADDRESS": clients}
        with api_server(**limits) if target == "product" else broadcast_server() as server:
            time.sleep(_SETTLE_SECONDS)
            yield server

    def _measure(self, target: Target, server: Server, tickers: tuple[str, ...], deaf: int) -> StreamLoad:
        options, published = self.options, self.options.publications
        audience = Counter(
            chain.from_iterable(own_tickers(n, tickers, options.tickers_each) for n in range(options.clients))
        )
        expected = sum(audience[tickers[number % len(tickers)]] for number in range(published))
        crowd = Crowd(
            port=server.port,
            path="/v1/stream",
            clients=options.clients,
            tickers=tickers,
            tickers_each=options.tickers_each,
            deaf=deaf,
            expected=expected,
        )
        empty, began = resident_kib(server.pid), time.monotonic()
        with _crowd(crowd) as gathered:
            connected = time.monotonic() - began
            time.sleep(_SETTLE_SECONDS)
            held, cpu = resident_kib(server.pid), cpu_seconds(server.pid)
            asyncio.run(self._publish(tickers, published))
            gathered.wait()
            after, spent = resident_kib(server.pid), cpu_seconds(server.pid) - cpu
            slow = self._slow_ended(target, server, deaf)
            heard = gathered.dismiss()
        seconds = max(heard.last - heard.first, 1e-9)
        return StreamLoad(
            target=target,
            clients=options.clients,
            deaf=deaf,
            published=published,
            expected=expected,
            deliveries=heard.deliveries,
            a_second=round(heard.deliveries / seconds, 1),
            latency=heard.latency,
            fallen=heard.fallen,
            cpu_us=round(spent * 1e6 / max(heard.deliveries, 1), 1),
            connect_seconds=round(connected, 1),
            kib=round((held - empty) / options.clients, 1),
            kib_after=round((after - empty) / options.clients, 1),
            slow_ended=slow,
            closed=heard.closed,
            clients_cpu=round(heard.cpu_seconds / seconds, 2),
        )

    def _slow_ended(self, target: Target, server: Server, deaf: int) -> int:
        """How many slow clients were ended, after those that never read had their time to be."""
        until = time.monotonic() + self.options.closing_seconds
        while (slow := _slow(server, target)) < deaf and time.monotonic() < until:
            time.sleep(_SETTLE_SECONDS)
        return slow

    async def _publish(self, tickers: tuple[str, ...], count: int) -> None:
        """Evenly over the seconds, each with the moment of its publication."""
        bus = await Bus.connect(self.settings.nats, "bench", timeout=10)
        pause = self.options.seconds / count
        began = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(began + number * pause - time.monotonic(), 0))
            await bus.tell(PREDICTION_UPDATED, _publication(tickers[number % len(tickers)], number))
        await bus.close()


def _publication(ticker: str, number: int) -> Envelope[Prediction]:
    now = datetime.now(UTC)
    prediction = msgspec.structs.replace(predicted(quoted(number)), ticker=ticker, data_time=now, as_of=now)
    identity = prediction.prediction_id
    return wrap(prediction, message_id=identity, correlation_id=identity, source="bench", at=now)


@dataclass(frozen=True)
class _Gathered:
    """A crowd that listens."""

    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Until it has heard all, or nothing comes any more."""
        self._line()

    def dismiss(self) -> Heard:
        """Let the clients go, and say what they heard."""
        assert self.process.stdin  # noqa: S101 (it is a pipe)
        self.process.stdin.close()
        return msgspec.json.decode(self._line(), type=Heard)

    def _line(self) -> bytes:
        assert self.process.stdout  # noqa: S101 (it is a pipe)
        line = self.process.stdout.readline()
        if not line:
            raise FatalError("the clients failed", "their error stands above; `ulimit -n` must exceed their number")
        return line


@contextmanager
def _crowd(crowd: Crowd) -> Iterator[_Gathered]:
    """Clients that are connected and have all they asked for."""
    command = [sys.executable, "-m", "serving.bench.stream_crowd"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 (our own)
    assert process.stdin  # noqa: S101 (it is a pipe)
    gathered = _Gathered(process)
    try:
        process.stdin.write(msgspec.json.encode(crowd) + b"\n")
        process.stdin.flush()
        gathered.wait()
        yield gathered
    finally:
        end(process)


def _slow(server: Server, target: Target) -> int:
    if target == "floor":
        return 0
    lines = get(server.port, "/metrics")[1].decode().splitlines()
    return int(sum(float(line.removeprefix(_SLOW)) for line in lines if line.startswith(_SLOW)))


def _told(load: StreamLoad) -> str:
    seen = f"p50/p99 {load.latency.p50:.1f}/{load.latency.p99:.1f} ms" if load.latency else "nothing heard"
    return (
        f"{load.deliveries:,} of {load.expected:,} deliveries, {load.a_second:,.0f}/s, {seen}, {load.cpu_us} us, "
        f"{load.kib} KiB ({load.kib_after} after), connected in {load.connect_seconds} s, {load.slow_ended} slow ended"
    )
