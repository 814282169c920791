"""NGINX before two processes of the API: each is restarted while requests come, and none fails."""

import asyncio
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import httpx
import pytest

from infra.embedded.readiness import NotReadyError, Probe
from riskee.settings import Settings
from riskee.storage.cache import Cache
from tests.availability.measuring import MEASURED, Pauses, Takeover
from tests.availability.servers import HOST, Server, free_ports, started
from tests.conftest import REPOSITORY
from tests.integration.conftest import eventually
from tests.integration.live_processes import environment_of
from tests.integration.made_predictions import made, put

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="NGINX is not installed: Debian's nginx-light")
TEMPLATE = REPOSITORY / "infra" / "nginx" / "nginx.conf.template"
CALLERS = 8


@dataclass(frozen=True)
class Front:
    """NGINX and what is behind it."""

    nginx: Server
    apis: tuple[Server, Server]


def _answers(port: int) -> Probe:
    def probe() -> None:
        try:
            answer = httpx.get(f"http://{HOST}:{port}/health/ready", timeout=2)
        except httpx.TransportError as error:
            raise NotReadyError(str(error)) from error
        if answer.status_code != httpx.codes.OK:
            raise NotReadyError(answer.text)

    return probe


def _api(name: str, folder: Path, port: int, settings: Settings) -> Server:
    told = {"RISKEE_API__PORT": str(port), "PYTHONPATH": str(REPOSITORY)}
    command = (sys.executable, "-m", "serving.api")
    return Server(name, folder, command, port, environ=environment_of(settings) | told, probe=_answers(port))


def _nginx(folder: Path, port: int, apis: tuple[Server, Server]) -> Server:
    told = {"RISKEE_LISTEN": f"{HOST}:{port}", "RISKEE_TEMP": str(folder)}
    told |= {f"RISKEE_API_{i}": f"{HOST}:{api.port}" for i, api in enumerate(apis, 1)}
    file = folder / "nginx.conf"
    file.write_text(Template(TEMPLATE.read_text()).safe_substitute(told))
    program = shutil.which("nginx")
    assert program is not None
    options = f"pid {folder}/nginx.pid; daemon off;"
    return Server("nginx", folder, (program, "-p", str(folder), "-e", "stderr", "-c", str(file), "-g", options), port)


@pytest.fixture
def front(folder: Path, known: Settings) -> Iterator[Front]:
    ports = free_ports(3)
    apis = _api("api-1", folder, ports[0], known), _api("api-2", folder, ports[1], known)
    nginx = _nginx(folder, ports[2], apis)
    with started(*apis, nginx):
        yield Front(nginx, apis)


async def test_a_rolling_restart_fails_no_request(beating: None, front: Front, cache: Cache) -> None:
    await put(cache, made())
    answers: Counter[int | str] = Counter()
    pauses, stopping = Pauses(), asyncio.Event()

    async def ask(client: httpx.AsyncClient) -> None:
        while not stopping.is_set():
            for request in (
                client.build_request("GET", "/v1/predict/AAPL"),
                client.build_request("POST", "/v1/predict", json={"tickers": ["AAPL"]}),
            ):
                try:
                    answers[(await client.send(request)).status_code] += 1
                    pauses.succeeded()
                except httpx.TransportError as error:
                    answers[type(error).__name__] += 1

    async with httpx.AsyncClient(base_url=f"http://{HOST}:{front.nginx.port}", timeout=20) as client:
        await eventually(lambda: knows(client))
        asking = [asyncio.create_task(ask(client)) for _ in range(CALLERS)]
        for api in front.apis:
            await more(answers)
            await asyncio.to_thread(api.stop)
            await asyncio.to_thread(api.start)
        await more(answers)
        stopping.set()
        await asyncio.gather(*asking)
    failed = answers.total() - answers[httpx.codes.OK]
    MEASURED.append(Takeover("API, rolling restart behind NGINX", answers.total(), failed, 0, pauses.longest))
    assert failed == 0, answers


async def more(answers: Counter[int | str]) -> None:
    """Wait for some hundred answers."""
    wanted = answers.total() + 200
    await eventually(lambda: answers.total() > wanted, 60)


async def knows(client: httpx.AsyncClient) -> bool:
    return (await client.get("/v1/predict/AAPL")).status_code == httpx.codes.OK
