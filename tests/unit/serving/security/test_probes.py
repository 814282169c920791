"""Health checks and Prometheus call the API by an address of its own network, whatever its clients call it."""

from collections.abc import Mapping
from uuid import UUID

import httpx
import pytest
from starlette.responses import PlainTextResponse

from riskee.clock import SystemClock
from riskee.settings import ApiSettings, Settings
from serving.api.requests import RequestIds
from serving.api.security.gate import Gate
from serving.api.security.guard import Guard
from tests.unit.serving.security.test_limiter import Bucket

PROBES = ("/health/live", "/health/ready", "/metrics")
# Prometheus and the command line in compose, the health check, the one over TLS, and a pod's address.
NAMES = ("api:8000", "127.0.0.1:8000", "localhost:8000", "10.1.2.3:8000")
LISTED = {"host": "0.0.0.0", "allowed_hosts": ("riskee.example",)}


async def asked(api: Mapping[str, object], path: str, **headers: str) -> int:
    settings = Settings(_env_file=None).model_copy(update={"api": ApiSettings.model_validate(api)})
    guard = Guard.of(settings, SystemClock())
    guard.limiter.evaluate = Bucket(50)
    gate = Gate(PlainTextResponse("let in"), guard, settings.api.guard)
    transport = httpx.ASGITransport(RequestIds(gate, new_id=lambda: UUID(int=1)), client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://riskee.example") as client:
        return (await client.get(path, headers=headers)).status_code


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", PROBES)
async def test_a_probe_asks_by_any_name(path: str, name: str) -> None:
    # Metrics still ask for a key, of which none is sent.
    assert await asked(LISTED, path, Host=name) == (401 if path == "/metrics" else 200)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", ["/v1/statuses", "/", "/health", "/health/live/", "/openapi.json"])
async def test_nothing_else_is_asked_for_by_it(path: str, name: str) -> None:
    assert await asked(LISTED, path, Host=name) == 421


@pytest.mark.parametrize("path", PROBES)
async def test_what_asks_nobody_for_a_key_keeps_its_names(path: str) -> None:
    """A page could point a name of its own at this machine, and read the metrics."""
    assert await asked({}, path, Host="evil.example") == 421
    assert await asked({}, path, Host="localhost") == 200


@pytest.mark.parametrize("path", PROBES)
async def test_a_page_of_another_site_is_refused_as_ever(path: str) -> None:
    assert await asked(LISTED, path, Host="riskee.example", Origin="https://evil.example") == 403
