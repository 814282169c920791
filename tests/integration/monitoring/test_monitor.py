"""`make monitor`: Prometheus beside a running stack, on its ports, until asked to end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from infra.embedded.stack import Stack
from infra.prometheus.native import USUAL_PORTS
from tests.conftest import REPOSITORY
from tests.integration.conftest import eventually
from tests.integration.monitoring.programs import tool

pytestmark = pytest.mark.integration


def start(home: Path) -> subprocess.Popen[str]:
    environ = {**os.environ, "RISKEE_HOME": str(home), "PATH": f"{tool('prometheus').parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "infra.prometheus"]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


async def test_it_watches_the_stack_and_ends_with_all_that_it_started(stack: Stack) -> None:
    monitor = start(stack.home)
    try:
        assert monitor.stdout is not None
        said = monitor.stdout.readline().split()
        assert said[0] == "prometheus", monitor.communicate(timeout=60)
        address = said[1]
        await eventually(lambda: _targets(address))
        started = psutil.Process(monitor.pid).children()
        jobs = {target["labels"]["job"] for target in _targets(address)}
        assert {"ingest", "predict", "record", "explain", "api", "prometheus"} <= jobs
        assert jobs - {"ingest", "predict", "record", "explain", "api"} <= set(USUAL_PORTS)
        api = next(target for target in _targets(address) if target["labels"]["job"] == "api")
        assert api["labels"]["instance"] == f"127.0.0.1:{stack.ports['api']}"
        monitor.send_signal(signal.SIGTERM)
        monitor.communicate(timeout=60)
        assert started
        assert not any(process.is_running() for process in started)
    finally:
        monitor.kill()


def _targets(address: str) -> list[dict[str, dict[str, str]]]:
    try:
        answer = httpx.get(f"{address}/api/v1/targets")
        if answer.status_code != httpx.codes.OK:  # it still reads what it has stored
            return []
        found: list[dict[str, dict[str, str]]] = answer.json()["data"]["activeTargets"]
    except httpx.HTTPError:
        return []
    return found


def test_without_a_stack_it_says_so(tmp_path: Path) -> None:
    _, complaint = start(tmp_path).communicate(timeout=120)
    assert "the stack is not running" in complaint
    assert "make up" in complaint
