"""The measurement of the stream: a quick one, whole, from the command line."""

import os
import subprocess
import sys

import msgspec
import pytest

from serving.bench.stream_result import QUICK, StreamMeasured
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration


@pytest.mark.slow
def test_everything_is_delivered_once_and_in_order() -> None:
    command = [sys.executable, "-m", "riskee", "bench", "stream", "--quick", "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    measured = msgspec.json.decode(done.stdout, type=StreamMeasured)
    assert [(load.target, load.deaf) for load in measured.loads] == [("floor", 0), ("product", 0), ("product", 2)]
    for load in measured.loads:
        assert (load.clients, load.closed, load.fallen) == (QUICK.clients, 0, 0)
        assert load.deliveries == load.expected, load
        assert load.latency
        assert 0 < load.latency.p50 <= load.latency.p99
