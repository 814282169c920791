"""The servers of docker-compose.yml without Docker, brought to this version by the job that compose runs."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.integration.deployment.servers import Servers, running_servers


def run_migrate(servers: Servers) -> subprocess.CompletedProcess[str]:
    """The job `migrate`, as compose starts it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
    told = servers.environment("migrate") | {"DEPLOY_SECRETS": str(servers.secrets), "RISKEE_HOME": str(servers.logs)}
    command = [sys.executable, "-m", "infra.deployment.migrate"]
    return subprocess.run(command, cwd=REPOSITORY, env=own | told, capture_output=True, text=True, check=False)


@pytest.fixture(scope="package")
def servers() -> Iterator[Servers]:
    """The servers, migrated."""
    with tempfile.TemporaryDirectory(prefix="riskee-compose-") as name, running_servers(Path(name)) as servers:
        done = run_migrate(servers)
        assert done.returncode == 0, done.stdout + done.stderr
        yield servers
