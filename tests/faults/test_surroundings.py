"""What surrounds the processes: a stopped one, a full disk, a wrong clock."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from infra.embedded.configuration import LARGEST_STORE
from tests.faults.arena import Setup
from tests.faults.conftest import full_only, load
from tests.faults.entry import Change
from tests.faults.recovery import SERVER_SECONDS, SERVICE_SECONDS
from tests.faults.reporting import Result
from tests.faults.scenario import Scenario, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
Holds = Callable[[Result], None]
HOUR = 3600.0
STORE_MIB = 96


@full_only
@pytest.mark.parametrize("name", ["predict", "record"])
async def test_a_consumer_that_is_stopped_past_its_ack_wait(name: str, holds: Holds) -> None:
    """What it holds is delivered to it again; recovery counts from when it goes on."""

    async def stop(scenario: Scenario) -> None:
        waits = [
            consumer.config.ack_wait or 0
            for stream in ("MARKET_DATA", "PREDICTIONS")
            for consumer in await scenario.observer.bus.jetstream.consumers_info(stream)
        ]

        async def paused() -> None:
            scenario.arena.signal(name, signal.SIGSTOP)
            await asyncio.sleep(max(waits) + 3)
            scenario.arena.signal(name, signal.SIGCONT)

        await scenario.measure(paused)

    holds(await play(f"SIGSTOP of {name} past its ack wait", load(), stop, bar=SERVICE_SECONDS))


@full_only
async def test_clocks_that_are_wrong_by_an_hour(holds: Holds) -> None:
    """The clocks of services and load jump forth and back, each by itself, while quotes flow."""

    async def jump(scenario: Scenario) -> None:
        for services, driver in ((HOUR, 0.0), (-HOUR, 0.0), (0.0, HOUR), (0.0, 0.0)):

            async def shift(services: float = services, driver: float = driver) -> None:
                scenario.arena.shift_clock(services)
                scenario.clock.shift = driver

            await asyncio.sleep(3)
            await shift()
            await asyncio.sleep(3)
            await scenario.strike(lambda: scenario.arena.kill("predict"), 1)

    changes = {name: Change(shifted=True) for name in ("predict", "record")}
    holds(await play("clocks shifted by an hour", load(), jump, setup=Setup(changes=changes)))


def _mount(home: Path) -> None:
    """A small disk of its own for the NATS store."""
    store = home / "data" / "nats"
    store.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STORE_MIB}m,mode=700", "riskee", str(store)], check=True)
    # JetStream believes that there is room: the disk fills up before its own limits are reached.
    (home / "data" / "nats-store-bytes").write_text(str(LARGEST_STORE))


def _unmount(home: Path) -> None:
    subprocess.run(["umount", str(home / "data" / "nats")], check=True)


def _may_mount(folder: Path) -> bool:
    """Whether this process may mount a file system."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    tried = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "riskee", str(folder)], check=False)
    if tried.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)
    return tried.returncode == 0


def _fill(ballast: Path) -> None:
    """Write until there is no room left."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 12))


@full_only
async def test_a_full_disk_of_the_message_bus(tmp_path: Path, holds: Holds) -> None:
    """While the disk is full nothing is accepted; once there is room all goes on, and nothing accepted is lost."""
    if not _may_mount(tmp_path):
        pytest.skip("mounting a small disk needs root")

    async def fill_up(scenario: Scenario) -> None:
        ballast = scenario.arena.stack.home / "data" / "nats" / "ballast"

        async def full() -> None:
            _fill(ballast)
            await asyncio.sleep(10)
            ballast.unlink()

        for _ in range(2):
            await scenario.measure(full)

    setup = Setup(prepare=_mount, clear=_unmount)
    holds(await play("full disk of the NATS store", load(200), fill_up, setup=setup, bar=SERVER_SECONDS))
