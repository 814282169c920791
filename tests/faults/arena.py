"""One scenario's product: servers and services under the supervisor, in a home of their own."""

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from infra.embedded import plan
from infra.embedded import stack as stack_module
from infra.embedded.processes import Process, service_table
from infra.embedded.stack import ProcessStatus, Stack
from riskee.settings import Settings, load_settings
from riskee.storage.database import make_engine
from riskee.storage.migrations import migrate
from tests.conftest import REPOSITORY
from tests.faults.entry import CHANGES_FILE, CLOCK_FILE, Change
from tests.faults.market import FaultMarket, fill
from tests.faults.proxy import Proxy

LOGS = REPOSITORY / ".riskee" / "reports" / "faults-logs"
SERVICES = ("predict", "record")
_ELSEWHERE = {"RISKEE_VECTORS__URL": "http://127.0.0.1:9", "RISKEE_LLM__URL": "http://127.0.0.1:9"}


@dataclass(frozen=True)
class Setup:
    """How a scenario's product differs from the usual one. `proxied` names servers that services reach by a proxy."""

    services: Sequence[str] = SERVICES
    changes: Mapping[str, Change] = field(default_factory=dict)
    proxied: frozenset[str] = frozenset()
    environ: Mapping[str, str] = field(default_factory=dict)
    # Called with the home before the servers start.
    prepare: Callable[[Path], None] = lambda _home: None
    # Called with the home after they have ended.
    clear: Callable[[Path], None] = lambda _home: None


@dataclass(frozen=True)
class Arena:
    """The running product."""

    stack: Stack
    settings: Settings
    engine: Engine
    market: FaultMarket
    proxies: Mapping[str, Proxy]

    def status(self, name: str) -> ProcessStatus:
        return next(status for status in self.stack.status() if status.name == name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process, as the kernel or an operator may."""
        pid = self.status(name).pid
        assert pid is not None, f"{name} does not run"
        os.kill(pid, number)

    def kill(self, name: str) -> None:
        self.signal(name, signal.SIGKILL)

    def keep_logs(self, scenario: str) -> None:
        """Leave the processes' logs where they can be read after a failure, in a folder for each scenario."""
        folder = LOGS / re.sub(r"\W+", "-", scenario)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.stack.home / "logs", folder)
        print(f"    the logs are in {folder}", flush=True)

    def shift_clock(self, seconds: float) -> None:
        """Move the clock of the services that have a shifted one."""
        _write(self.stack.home / CLOCK_FILE, str(seconds).encode())


def _write(file: Path, data: bytes) -> None:
    temporary = file.with_suffix(".new")
    temporary.write_bytes(data)
    temporary.replace(file)


@asynccontextmanager
async def running(setup: Setup) -> AsyncIterator[Arena]:
    """Start the product with an empty database, fill it, and leave nothing behind."""
    # Each undoes its own step, whatever became of the others.
    async with AsyncExitStack() as undo:
        home = Path(tempfile.mkdtemp(prefix="riskee-faults-"))
        undo.callback(shutil.rmtree, home)
        home.chmod(0o711)
        (home / "data").mkdir(mode=0o711)
        patch = undo.enter_context(pytest.MonkeyPatch.context())
        for name, value in {**_ELSEWHERE, **setup.environ, "RISKEE_HOME": str(home)}.items():
            patch.setenv(name, value)
        _change_commands(patch, setup.changes)
        setup.prepare(home)
        undo.callback(setup.clear, home)
        stack = Stack(home, REPOSITORY)
        undo.push_async_callback(asyncio.to_thread, stack.stop)
        await asyncio.to_thread(stack.start_servers)
        yield await undo.enter_async_context(_filled(stack, setup))


@asynccontextmanager
async def _filled(stack: Stack, setup: Setup) -> AsyncIterator[Arena]:
    settings = load_settings()
    engine = make_engine(settings.database.url, 4)
    targets = {"nats": stack.ports["nats"], "database": stack.ports["postgres"], "redis": stack.ports["redis"]}
    proxies = {name: Proxy(targets[name], seed=1) for name in sorted(setup.proxied)}
    ports = {f"{name}_port": await proxy.start() for name, proxy in proxies.items()}
    changes = {name: msgspec.structs.replace(change, **ports) for name, change in setup.changes.items()}
    _write(stack.home / CHANGES_FILE, msgspec.json.encode(changes))
    try:
        await asyncio.to_thread(migrate, settings.database.url, settings)
        with engine.begin() as connection:
            market = fill(connection)
        await asyncio.to_thread(stack.start_services, names=setup.services)
        yield Arena(stack, settings, engine, market, proxies)
    finally:
        for proxy in proxies.values():
            await proxy.stop()
        engine.dispose()


def _change_commands(patch: pytest.MonkeyPatch, changes: Mapping[str, Change]) -> None:
    """Let the supervisor start changed services by the entry point of the fault tests."""

    def table(*arguments: Any) -> list[Process]:
        return [_changed(process) if process.name in changes else process for process in service_table(*arguments)]

    for module in (plan, stack_module):
        patch.setattr(module, "service_table", table)


def _changed(process: Process) -> Process:
    return replace(process, command=(process.command[0], "-m", "tests.faults.entry", process.name))
