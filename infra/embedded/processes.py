"""The table of processes: what each is, how it is started, stopped and asked whether it is ready."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from infra.embedded import binaries, readiness
from infra.embedded.configuration import NATS_USER, endpoints
from infra.embedded.credentials import Credentials
from infra.embedded.files import Home
from infra.embedded.ports import HOST, PORT_SETTINGS, is_predictor
from infra.embedded.postgres import connection_url
from infra.embedded.readiness import Probe
from riskee.access.exposure import reached_at

Group = Literal["server", "service"]
CONSUMERS = ("ingest", "predict", "record", "explain")
JSON_LOGS = ("--log-format", "json")
# A flood of the API's other lines cannot push these out there.
AUDIT_SETTING, AUDIT_LOG = "RISKEE_API__AUDIT__PATH", "logs/audit.log"
# Where a setting names a server of the user's own, ours is not started.
EXTERNAL_SERVERS: Mapping[str, str] = {
    "redis": "RISKEE_REDIS__URL",
    "nats": "RISKEE_NATS__URL",
    "qdrant": "RISKEE_VECTORS__URL",
    "ollama": "RISKEE_LLM__URL",
}


@dataclass(frozen=True)
class Process:
    """One supervised process."""

    name: str
    group: Group
    command: tuple[str, ...]
    port: int | None
    ready: Probe
    stop_signal: str = "TERM"
    # PostgreSQL's backends end with their server; signalling them too would only cancel their last statement.
    stop_group: bool = True
    stop_seconds: int = 10
    # What it gets besides what all get.
    environment: Mapping[str, str] = field(default_factory=dict)


def server_table(
    home: Home, ports: Mapping[str, int], credentials: Credentials, postgres_command: tuple[str, ...]
) -> list[Process]:
    """The servers, in the order of starting."""
    urls = endpoints(ports, credentials)

    def front(name: str, folder_option: str, folder: str, path: str) -> Process:
        module = f"infra.embedded.{name}_front"
        address = ("--host", HOST, "--port", str(ports[name]))
        command = (sys.executable, "-m", module, *address, folder_option, folder)
        return Process(name, "server", command, ports[name], readiness.http_get(ports[name], path))

    return [
        Process(
            "postgres",
            "server",
            postgres_command,
            ports["postgres"],
            readiness.postgres(connection_url(ports["postgres"], credentials.postgres, "postgres")),
            stop_signal="INT",
            stop_group=False,
            stop_seconds=30,
        ),
        Process(
            "nats",
            "server",
            (str(binaries.nats_server()), "-c", str(home.run / "nats.conf")),
            ports["nats"],
            readiness.nats(ports["nats"], ports["nats-monitor"], NATS_USER, credentials.nats),
        ),
        Process(
            "redis",
            "server",
            (str(binaries.valkey_server()), str(home.run / "valkey.conf")),
            ports["redis"],
            readiness.valkey(str(urls["redis"]["url"])),
        ),
        front("qdrant", "--data", str(home.data / "qdrant"), "/"),
        front("ollama", "--models", str(home.blobs), "/api/version"),
    ]


def service_table(
    ports: Mapping[str, int], api_host: str = HOST, api_environment: Mapping[str, str] | None = None
) -> list[Process]:
    """Riskee's own processes and Dagster's, in the order of starting. `api_host`: where the API is told to listen, and
    what it gets besides what all get."""
    code, web = ports["dagster-code"], ports["dagster-webserver"]
    code_server = (
        "-m", "dagster", "api", "grpc", "-m", "riskee_dagster.definitions", "--location-name", "riskee",
        "--host", HOST, "--port", str(code), *JSON_LOGS,
    )  # fmt: skip
    daemon = str(Path(sys.prefix) / "bin" / "dagster-daemon")
    webserver = ("-m", "dagster_webserver", *JSON_LOGS, "-w", "workspace.yaml", "-h", HOST, "-p", str(web))

    def service(
        name: str, arguments: tuple[str, ...], port: int | None, ready: Probe, own: Mapping[str, str] | None = None
    ) -> Process:
        return Process(name, "service", (sys.executable, *arguments), port, ready, environment=own or {})

    return [
        service("dagster-code", code_server, code, readiness.dagster_code_server(code)),
        service("dagster-webserver", webserver, web, readiness.http_get(web, "/server_info")),
        service("dagster-daemon", (daemon, "run", *JSON_LOGS, "-w", "workspace.yaml"), None, readiness.running),
        *(_consumer(name, ports[name]) for name in consumers_of(ports)),
        service(
            "api",
            ("-m", "serving.api"),
            ports["api"],
            readiness.http_get(ports["api"], "/health/ready", reached_at(api_host)),
            api_environment,
        ),
    ]


def consumers_of(ports: Mapping[str, int]) -> list[str]:
    """The consumers by name; further predictors come after the first."""
    return [
        name
        for consumer in CONSUMERS
        for name in ports
        if name == consumer or (consumer == "predict" and is_predictor(name))
    ]


def _consumer(name: str, port: int) -> Process:
    kind = name.partition("-")[0]
    return Process(
        name,
        "service",
        (sys.executable, "-m", f"serving.consumers.{kind}"),
        port,
        readiness.http_get(port, "/health/ready"),
        # The settings know one port of each kind.
        environment={} if name == kind else {PORT_SETTINGS[kind]: str(port)},
    )
