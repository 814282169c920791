"""bootstrap and Dagster with the users, settings and commands of docker-compose.yml, on servers of their own: an empty
installation becomes one that predicts, and record sees that all of Dagster works.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from serving.consumers.orchestrator import PARTS, parts_up
from tests.integration.deployment.conftest import run_migrate
from tests.integration.deployment.orchestration import Orchestration, running_orchestration
from tests.integration.deployment.servers import running_servers
from tests.integration.front_server import FrontServer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]
LASTING = ("dagster-code", "dagster-webserver", "dagster-daemon")
_REFUSED = ("permissions violation", "no permission", "noperm", "permission denied", "authentication failed")


@pytest.fixture(scope="module")
def running() -> Iterator[Orchestration]:
    """Servers that `migrate` has brought to this version, and all of Dagster beside bootstrap, as in compose."""
    with tempfile.TemporaryDirectory(prefix="riskee-dagster-") as name:
        folder = Path(name)
        with running_servers(folder) as servers:
            done = run_migrate(servers)
            assert done.returncode == 0, done.stdout + done.stderr
            vectors = FrontServer("infra.embedded.qdrant_front", ["--data", str(folder / "vectors")], "/readyz")
            (folder / "instance").mkdir()
            try:
                with running_orchestration(servers, folder / "instance", vectors.url) as running:
                    for service in ("bootstrap", *LASTING):
                        running.start(service)
                    yield running
            finally:
                vectors.end()


def wait_for(running: Orchestration, check: Callable[[], bool], seconds: float = 600) -> None:
    """Ask again and again while everything lives."""
    deadline = time.monotonic() + seconds
    while not check():
        running.require_alive()
        assert time.monotonic() < deadline, "\n".join(running.log(name).read_text()[-1500:] for name in LASTING)
        time.sleep(1)


def test_all_of_dagster_works_and_its_health_checks_see_it(running: Orchestration) -> None:
    wait_for(running, lambda: parts_up(running.url, time.time()) == dict.fromkeys(PARTS, True))
    for name in LASTING:
        wait_for(running, partial(running.healthy, name))


def test_bootstrap_makes_all_that_a_new_installation_lacks(running: Orchestration) -> None:
    lines = running.log("bootstrap")
    process = running.start_of("bootstrap")
    wait_for(running, lambda: process.poll() is not None)
    said = lines.read_text()
    assert process.returncode == 0, said[-3000:]
    told = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert told[-1]["state"] == "done", told[-1]
    assert told[-1]["done"] == told[-1]["total"] > 30


def test_bootstrap_finds_all_of_it_made_at_a_later_start(running: Orchestration) -> None:
    """Runs after the one above."""
    done = running.run("bootstrap")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_nothing_was_refused(running: Orchestration) -> None:
    """Runs last: all that they did by now was allowed to them."""
    logs = {name: running.log(name).read_text() for name in ("bootstrap", *LASTING)}
    found = [
        (name, line)
        for name, text in logs.items()
        for line in text.splitlines()
        if any(refusal in line.lower() for refusal in _REFUSED)
    ]
    assert found == []


def test_a_part_that_ends_is_seen(running: Orchestration) -> None:
    """Ends the code server, so after all others. The webserver may be slow to answer while it looks for it."""
    running.end("dagster-code")
    wait_for(running, lambda: parts_up(running.url, time.time()) == {"webserver": True, "daemon": True, "code": False})
