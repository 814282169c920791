"""Prometheus reads the API of docker-compose.yml with its key, over TLS with a certificate of `riskee certs`: the real
program, with the configuration and targets that docker-compose.tls.yml mounts.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from infra.prometheus.native import Program, lay_out, running
from riskee.certificates import make_certificates
from tests.integration.conftest import eventually
from tests.integration.deployment.servers import Servers
from tests.integration.deployment.services import Services, running_services
from tests.integration.front_server import free_port
from tests.integration.monitoring.programs import PROMETHEUS, tool

pytestmark = pytest.mark.integration
TOKEN = "/run/secrets/metrics_token"


@pytest.fixture(scope="module")
def tls() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="riskee-scraped-") as name:
        make_certificates(Path(name) / "tls", datetime.now(UTC))
        yield Path(name) / "tls"


@pytest.fixture(scope="module")
def api(servers: Servers, tls: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The API alone, as compose guards it, speaking TLS."""
    changes = {
        "RISKEE_HOME": str(servers.logs),
        "RISKEE_API__TLS__CERTIFICATE": str(tls / "api.pem"),
        "RISKEE_API__TLS__KEY": str(tls / "api.key"),
    }
    with running_services(servers, tmp_path_factory.mktemp("api"), changes, ("api",)) as services:
        yield services


def laid_out(folder: Path, api: Services) -> Path:
    """The configuration with the secret and the targets of this test, where Prometheus finds them; gives the file."""
    lay_out(folder, {}, (), interval="1s")
    file = folder / "prometheus.yml"
    text = file.read_text()
    assert TOKEN in text
    # promtool looks for every key's file, Qdrant's too.
    file.write_text(text.replace(str(Path(TOKEN).parent), str(api.servers.secrets)))
    guarded = _of_api(PROMETHEUS / "tls" / "guarded-compose.yml", api)
    plain = _of_api(PROMETHEUS / "targets" / "guarded-compose.yml", api)
    plain[0]["labels"]["job"] = "api without TLS"
    (folder / "targets" / "guarded-compose.yml").write_text(yaml.safe_dump([*guarded, *plain]))
    # The same address in the job that has no credential.
    guarded[0]["labels"]["job"] = "api without a key"
    (folder / "targets" / "open-native.yml").write_text(yaml.safe_dump(guarded))
    return file


def _of_api(file: Path, api: Services) -> list[dict[str, Any]]:
    (group,) = (group for group in yaml.safe_load(file.read_text()) if group["labels"]["job"] == "api")
    assert group["targets"] == ["api:8000"]
    return [group | {"targets": [f"localhost:{api.api}"]}]


@contextmanager
def prometheus(folder: Path, file: Path, **environment: str) -> Iterator[str]:
    """Prometheus' address."""
    port = free_port()
    command = (
        str(tool("prometheus")), f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )  # fmt: skip
    with running([Program("prometheus", port, command, environment)], folder):
        yield f"http://127.0.0.1:{port}"


def targets(address: str) -> dict[str, tuple[str, str]]:
    """Of each job: its health, and why."""
    try:
        answer = httpx.get(f"{address}/api/v1/targets")
    except httpx.HTTPError:
        return {}
    if answer.status_code != 200:  # it still reads what it has stored
        return {}
    active = answer.json()["data"]["activeTargets"]
    return {each["labels"]["job"]: (each["health"], each["lastError"]) for each in active}


async def test_it_is_read_with_the_key_and_over_tls_and_not_otherwise(api: Services, tls: Path, tmp_path: Path) -> None:
    file = laid_out(tmp_path, api)
    done = subprocess.run([tool("promtool"), "check", "config", file], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with prometheus(tmp_path, file, SSL_CERT_FILE=str(tls / "authority.pem")) as address:

        def read() -> bool:
            api.require_alive()
            return targets(address).get("api") == ("up", "")

        await eventually(read, 60)
        await eventually(lambda: all(targets(address)[job][1] for job in ("api without a key", "api without TLS")))
        found = targets(address)
        asked = {"query": 'count({job="api", __name__=~"riskee_.*"})'}
        await eventually(lambda: bool(httpx.get(f"{address}/api/v1/query", params=asked).json()["data"]["result"]))
    assert found["api"] == ("up", "")
    assert found["api without a key"][0] == "down"
    assert "401" in found["api without a key"][1]
    assert found["api without TLS"][0] == "down"


async def test_another_authority_is_not_trusted(api: Services, tmp_path: Path) -> None:
    file = laid_out(tmp_path, api)
    make_certificates(tmp_path / "other", datetime.now(UTC), servers=())
    with prometheus(tmp_path, file, SSL_CERT_FILE=str(tmp_path / "other" / "authority.pem")) as address:
        await eventually(lambda: "certificate" in targets(address).get("api", ("", ""))[1], 60)
        assert targets(address)["api"][0] == "down"
