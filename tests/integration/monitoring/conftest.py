"""The services as processes on a small market whose replay goes on, watched by Prometheus and its exporters."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from infra.prometheus.native import USUAL_PORTS, Program, lay_out, programs, running
from riskee.messaging.messages import MODEL_TYPES
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.track_record import Head, append
from tests.conftest import REPOSITORY
from tests.integration.live_data import fill, made_model
from tests.integration.live_processes import free_port
from tests.integration.monitoring.programs import tool
from tests.integration.test_track_record import values

MODULES = {
    "ingest": "serving.consumers.ingest",
    "predict": "serving.consumers.predict",
    "record": "serving.consumers.record",
    "explain": "serving.consumers.explain",
    "api": "serving.api",
}


@dataclass(frozen=True)
class Watched:
    """Where the services and the programs answer, and where the services' logs are."""

    services: Mapping[str, int]
    ports: Mapping[str, int]
    logs: Path

    def said(self, service: str, event: str) -> list[dict[str, Any]]:
        """The lines of a service's log of one event."""
        lines = map(json.loads, (self.logs / f"{service}.log").read_text().splitlines())
        return [line for line in lines if line["event"] == event]

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.services['api']}"

    def ask(self, path: str, **parameters: str) -> Any:
        """What Prometheus answers."""
        address = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/{path}"
        answer = httpx.get(address, params=parameters, timeout=60)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]


@pytest.fixture
def market(engine: Engine) -> None:
    """Bars, sessions, two champions, and a record of each."""
    with engine.begin() as connection:
        fill(connection)
        rows = []
        for place, model_type in enumerate(MODEL_TYPES):
            for number in range(8):
                row = list(values(100 * place + number))
                row[2:4] = model_type, made_model(model_type).version
                # Said a rise or a fall, and a rise or a fall came: each of the four.
                row[9], row[12] = (0.48, 0.52)[number % 2], (-0.01, 0.01)[number // 2 % 2]
                rows.append(tuple(row))
        append(connection, rows, Head())


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Path:
    """A home that leads to the stack's servers, with the downloads of the checkout."""
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    shutil.copy(settings.home / "run" / "endpoints.json", home / "run")
    blobs = REPOSITORY / ".riskee" / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    (home / "blobs").symlink_to(blobs)
    return home


def _services(home: Path, settings: Settings, ports: Mapping[str, int]) -> list[Program]:
    chosen = {
        "RISKEE_HOME": str(home),
        "RISKEE_DATABASE__URL": settings.database.url.get_secret_value(),
        "RISKEE_REDIS__TIMEOUT_SECONDS": str(settings.redis.timeout_seconds),
        "RISKEE_FEED__REPLAY__SESSION_SECONDS": "2",
        "RISKEE_FEED__REPLAY__SESSIONS": "30",
        "RISKEE_API__PORT": str(ports["api"]),
        **{f"RISKEE_METRICS__{name.upper()}_PORT": str(port) for name, port in ports.items() if name != "api"},
    }
    return [Program(name, port, (sys.executable, "-m", MODULES[name]), chosen) for name, port in ports.items()]


@pytest.fixture
def watched(
    home: Path,
    tmp_path: Path,
    database_settings: Settings,
    bus: Bus,
    market: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Watched]:
    """Everything runs. Prometheus looks each second."""
    for name in [name for name in os.environ if name.startswith("RISKEE_")]:
        monkeypatch.delenv(name)
    # Alertmanager runs too where it is installed; it fills no panel.
    for name in ("prometheus", "prometheus-node-exporter", "prometheus-redis-exporter", "prometheus-postgres-exporter"):
        tool(name)
    services, ports = {name: free_port() for name in MODULES}, {name: free_port() for name in USUAL_PORTS}
    folder = tmp_path / "prometheus"
    folder.mkdir()
    own = database_settings.model_copy(update={"home": REPOSITORY / ".riskee"})
    chosen = programs(own, folder, ports)
    lay_out(folder, services, chosen, interval="1s")
    with ExitStack() as stack:
        stack.enter_context(running(_services(home, database_settings, services), home))
        stack.enter_context(running(chosen, folder))
        yield Watched(services, {program.job: program.port for program in chosen}, home)
