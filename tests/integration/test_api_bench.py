"""The measurement of the API: a quick one, whole, from the command line."""

import os
import subprocess
import sys

import msgspec
import pytest

from riskee.errors import FatalError
from serving.bench import api
from serving.bench.api_result import ApiMeasured
from serving.bench.wrk import find_wrk
from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]
# The machine may be busy with anything else; a quick run answers most tickers once, so little is prepared already.
MOST_CPU_RATIO = 4.0


def test_every_kind_of_request_is_answered_and_the_bare_route_is_in_sight() -> None:
    try:
        find_wrk(REPOSITORY / ".riskee" / "tools")
    except FatalError as error:
        pytest.skip(f"no load tool: {error}")
    command = [sys.executable, "-m", "riskee", "bench", "api", "--quick", "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    measured = msgspec.json.decode(done.stdout, type=ApiMeasured)
    assert [each.what for each in measured.served] == [
        api.BARE, api.CACHED, api.SHARED, api.BATCHED, api.WITH_KEY, api.STORED,
    ]  # fmt: skip
    for each in measured.served:
        assert each.requests
        assert each.failed == 0, each
        assert 0 < each.p50 <= each.p95 <= each.p99 <= each.most
    bare, cached = measured.served[:2]
    assert cached.cpu_us["api"] < MOST_CPU_RATIO * bare.cpu_us["bare"]
    assert measured.served[-1].cpu_us["postgres"] > 0, "without Redis the database answers"
