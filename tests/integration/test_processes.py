"""The processes themselves: how they end, and what they say when they cannot begin."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from riskee.settings import Settings

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


def start(module: str, settings: Settings, **environ: str) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
    return subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**own, "RISKEE_HOME": str(settings.home), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return int(response.status) == 200
    except OSError:
        return False


SERVICES = [
    ("serving.consumers.ingest", "RISKEE_METRICS__INGEST_PORT"),
    ("serving.consumers.predict", "RISKEE_METRICS__PREDICT_PORT"),
    ("serving.consumers.record", "RISKEE_METRICS__RECORD_PORT"),
    ("serving.api", "RISKEE_API__PORT"),
]


@pytest.mark.parametrize(("module", "setting"), SERVICES)
def test_a_service_lives_and_ends_with_sigterm(module: str, setting: str, settings: Settings) -> None:
    port = free_port()
    process = start(module, settings, **{setting: str(port)})
    try:
        deadline = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/health/live") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert answers(f"http://127.0.0.1:{port}/metrics")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert all(json.loads(line)["service"] for line in output.splitlines()), "every line of the log is JSON"


@pytest.mark.parametrize(("module", "setting"), SERVICES)
def test_a_port_in_use_is_named_with_its_setting(module: str, setting: str, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(module, settings, **{setting: str(taken.getsockname()[1])})
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    last = json.loads(output.splitlines()[-1])
    assert last["level"] == "critical"
    assert setting in last["error"]


def test_a_wrong_setting_is_named(settings: Settings) -> None:
    process = start("serving.consumers.record", settings, RISKEE_NATS__URLL="nats://x")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "RISKEE_NATS__URLL" in json.loads(output.splitlines()[-1])["error"]
