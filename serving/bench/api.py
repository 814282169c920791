"""The measurement of the API: which requests, in which order, from an open-source load tool (docs/adr/0126)."""

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from riskee.errors import FatalError
from serving.bench.api_guard import GUARDED, make_caller
from serving.bench.api_result import CONNECTIONS, USERS, ApiMeasured, ApiOptions, Served
from serving.bench.api_servers import Server, api_server, bare_server, get
from serving.bench.loads import DURABLES
from serving.bench.machine import describe, load_average
from serving.bench.market import crown, fill
from serving.bench.plan import ticker_name
from serving.bench.processes import busy_seconds, cpu_seconds, parent_of
from serving.bench.rig import PRODUCT, SERVERS, Rig
from serving.bench.wrk import Asked, Wrk, Wrote

CACHED, BARE, WITH_KEY = "cached GET", "bare Starlette route", "cached GET, credentials and limits"
SHARED, BATCHED, STORED = "cached GET, 10 users", "POST of a batch", "GET, Redis stopped"
_QUOTES_A_SECOND = 2000
# Less than it takes a number to become stale: half of the measurement would be of other answers.
_QUOTES_LAST_SECONDS = 30.0
# For the API to hear predict.
_CURRENT_SECONDS, _POLL_SECONDS = 20.0, 0.1
_ROUTE = "/v1/predict"


@dataclass
class ApiBench:
    """Measures once, with servers of its own whose database is migrated and empty."""

    rig: Rig
    engine: Engine
    options: ApiOptions
    wrk: Wrk
    _found: dict[str, list[tuple[Wrote, dict[str, float]]]] = field(default_factory=dict)
    _connections: dict[str, int] = field(default_factory=dict)
    _quoted_at: float = float("-inf")

    def run(self) -> ApiMeasured:
        """Measure. Raises FatalError where a server or the load tool fails, or answers are wrong."""
        before, began, busy, ours = load_average(), time.monotonic(), busy_seconds(), self._ours()
        with self.engine.begin() as connection:
            crown(connection, datetime.now(UTC))
            market = fill(connection, self.options.tickers, datetime.now(UTC))
        self.rig.feed, self.rig.today = "bench/api", market.today
        self.rig.processes.start("predict", "record")
        with tempfile.TemporaryDirectory(prefix="riskee-load-") as folder, ExitStack() as servers:
            self._measure(Path(folder), servers)
        elapsed = time.monotonic() - began
        machine = describe(before)
        others = (busy_seconds() - busy - (self._ours() - ours)) / (elapsed * machine.cores)
        return ApiMeasured(
            machine=machine,
            load_tool=self.wrk.version(),
            options=self.options,
            seconds=round(elapsed, 1),
            others=round(max(others, 0.0), 3),
            served=[self._median(what) for what in self._found],
        )

    def _measure(self, folder: Path, servers: ExitStack) -> None:
        api, bare = servers.enter_context(api_server()), servers.enter_context(bare_server())
        self._quote()
        self._check(api, bare)
        one = Asked(self._paths())
        body = json.dumps({"tickers": self._tickers()}).encode()
        for _ in range(self.options.repeats):
            self._ask(BARE, bare, one, CONNECTIONS, folder)
            self._ask(CACHED, api, one, CONNECTIONS, folder)
            self._ask(SHARED, api, one, USERS, folder)
            self._ask(BATCHED, api, Asked([_ROUTE], body), 1, folder)
        with self.engine.begin() as connection:
            token = make_caller(connection)
        guarded = servers.enter_context(api_server(**GUARDED))
        for _ in range(self.options.repeats):
            self._ask(WITH_KEY, guarded, Asked(self._paths(), token=token), CONNECTIONS, folder)
        self.rig.processes.stop("redis")
        for _ in range(self.options.repeats):
            self._ask(STORED, api, one, USERS, folder)

    def _ours(self) -> float:
        """Seconds of a processor of this process and of the servers' supervisor, with all that they started."""
        return cpu_seconds(os.getpid()) + cpu_seconds(parent_of(self.rig.pids()["nats"]))

    def _tickers(self) -> list[str]:
        return [ticker_name(number) for number in range(self.options.tickers)]

    def _paths(self) -> list[str]:
        """Each ticker once, in an order that is the same each time."""
        tickers = self._tickers()
        random.Random(1).shuffle(tickers)  # noqa: S311 (an order, no secret)
        return [f"{_ROUTE}/{ticker}" for ticker in tickers]

    def _quote(self) -> None:
        """A quote for every ticker, of which predict makes numbers for the cache and the database."""
        self.rig.run(PRODUCT, self.options.tickers, _QUOTES_A_SECOND, self.options.tickers, everything=False)
        self.rig.await_quiet(*DURABLES)
        self._quoted_at = time.monotonic()

    def _check(self, api: Server, bare: Server) -> None:
        """Wait until the API answers with the number that the bare route answers with, and calls it current."""
        path = self._paths()[0]
        body = json.loads(get(bare.port, path)[1])
        deadline = time.monotonic() + _CURRENT_SECONDS
        while True:
            status, text = get(api.port, path)
            answer = json.loads(text)
            if answer["status"] == "ok" and answer["prediction_id"] == body["prediction_id"]:
                return
            if time.monotonic() > deadline:
                raise FatalError(f"{path} is answered with {status}: {text[:500]!r}", "see the logs of the services")
            time.sleep(_POLL_SECONDS)

    def _ask(self, what: str, server: Server, asked: Asked, connections: int, folder: Path) -> None:
        name = "bare" if what == BARE else "api"
        if time.monotonic() - self._quoted_at > _QUOTES_LAST_SECONDS and "redis" in self.rig.pids():
            self._quote()
        pids = {name: pid for name, pid in self.rig.pids().items() if name in SERVERS} | {name: server.pid}
        number = len(self._found.setdefault(what, []))
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        wrote = self.wrk.run(
            server.url,
            asked,
            connections=connections,
            seconds=self.options.seconds,
            folder=folder / f"{what}-{number}",
        )
        spent = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()} | {"wrk": wrote.cpu_seconds}
        self._connections[what] = connections
        self._found[what].append((wrote, {name: each * 1e6 / max(wrote.requests, 1) for name, each in spent.items()}))
        self.rig.tell(
            f"{what}: {wrote.requests * 1e6 / wrote.microseconds:,.0f}/s, p50/p95/p99"
            f" {wrote.p50 / 1000:.1f}/{wrote.p95 / 1000:.1f}/{wrote.p99 / 1000:.1f} ms, failed"
            f" {wrote.refused + wrote.broken}, CPU us "
            + ", ".join(f"{name} {each:.0f}" for name, each in self._found[what][-1][1].items())
        )

    def _median(self, what: str) -> Served:
        wrote, spent = zip(*self._found[what], strict=True)

        def median(values: Sequence[float]) -> float:
            return round(statistics.median(values), 3)

        return Served(
            what=what,
            connections=self._connections[what],
            requests=sum(each.requests for each in wrote),
            failed=sum(each.refused + each.broken for each in wrote),
            a_second=median([each.requests * 1e6 / each.microseconds for each in wrote]),
            **{name: median([getattr(each, name) / 1000 for each in wrote]) for name in ("p50", "p95", "p99", "most")},
            cpu_us={name: median([each[name] for each in spent]) for name in spent[0]},
        )
