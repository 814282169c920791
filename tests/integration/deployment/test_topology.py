"""The whole path on the servers, users and settings of docker-compose.yml: from a replayed bar to a prediction and its
explanation over the API, by the services' own commands, in processes that lack what the lean image lacks.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, select

from riskee.storage.database import make_engine
from riskee.storage.tables import explanations, predictions
from tests.conftest import REPOSITORY
from tests.integration.api_callers import key_for
from tests.integration.conftest import eventually
from tests.integration.deployment.servers import HOST, Servers
from tests.integration.deployment.services import Services, running_services
from tests.integration.live_data import TICKERS, fill

pytestmark = pytest.mark.integration
NAMES = ("record", "predict", "ingest", "explain", "api")
_REFUSED = ("permissions violation", "no permission", "noperm", "permission denied", "no module named")


@pytest.fixture(scope="module")
def owner(servers: Servers) -> Iterator[Engine]:
    """The database as its owner has it."""
    address = (
        f"postgresql://riskee_migrate:{servers.secret('postgres_riskee_migrate')}@{HOST}:{servers.postgres}/riskee"
    )
    engine = make_engine(SecretStr(address), 2)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def running(servers: Servers, owner: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """All services, in a market that was made up."""
    with owner.begin() as connection:
        market = fill(connection)
    days = [session.session_date for session in market.sessions[-3:]]
    changes = {
        # The checkout's downloads: the embedding model.
        "RISKEE_HOME": str(REPOSITORY / ".riskee"),
        "RISKEE_FEED__REPLAY__FIRST": str(days[0]),
        "RISKEE_FEED__REPLAY__LAST": str(days[-1]),
        "RISKEE_FEED__REPLAY__SESSION_SECONDS": "1",
    }
    with running_services(servers, tmp_path_factory.mktemp("services"), changes, NAMES) as services:
        yield services


def count(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


async def test_a_bar_becomes_a_prediction_and_an_explanation(
    running: Services, owner: Engine, servers: Servers
) -> None:
    token = key_for(owner, pepper=servers.secret("api_key_pepper"))
    headers = {"Authorization": f"Bearer {token}"}

    def recorded() -> bool:
        running.require_alive()
        return count(owner, predictions) >= 6 * len(TICKERS)

    await eventually(recorded, seconds=90)
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{running.api}", headers=headers, timeout=60) as client:

        async def ready() -> bool:
            return bool((await client.get("/health/ready")).json()["status"] == "ok")

        await eventually(ready, seconds=60)
        answer = await client.get("/v1/predict/AAPL")
        assert answer.status_code == 200, answer.text
        assert 0 < answer.json()["p_up"] < 1, answer.text
        fresh = await client.post("/v1/predict", json={"tickers": ["IBM"], "fresh": True})
        assert fresh.status_code in (200, 202), fresh.text
        explained = await client.post("/v1/explain/AAPL")
        assert explained.status_code == 200, explained.text
        assert explained.json()["generator"] == "template", "there is no language model here"
    await eventually(lambda: count(owner, explanations) >= 1)


async def test_prometheus_reads_the_metrics_with_its_key_and_nothing_else(running: Services, servers: Servers) -> None:
    headers = {"Authorization": f"Bearer {servers.secret('metrics_token')}"}
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{running.api}", headers=headers) as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/v1/predict/AAPL")).status_code == 403
        assert (await client.get("/metrics", headers={"Authorization": "Bearer nothing"})).status_code == 401


def test_no_service_wanted_what_it_may_not(running: Services, servers: Servers) -> None:
    """Runs last: all that the services did by now was allowed to them, and none missed a package."""
    logs: dict[Path, str] = {}
    for name in NAMES:
        logs[running.log(name)] = running.log(name).read_text()
        for line in logs[running.log(name)].splitlines():
            assert line.startswith("{"), logs[running.log(name)][-3000:]
            assert json.loads(line)["level"] not in {"error", "critical"}, line
    found = [(path.name, line) for path, text in logs.items() for line in text.splitlines() if _is_refusal(line)]
    assert found == []


def _is_refusal(line: str) -> bool:
    return any(refusal in line.lower() for refusal in _REFUSED)
