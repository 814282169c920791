"""Prometheus, Alertmanager and the exporters beside the embedded stack, with the very files that containers mount."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from infra.embedded.ports import HOST, TRIES, port_is_free
from infra.prometheus import alertmanager, tools
from riskee.errors import FatalError
from riskee.settings import Settings

INFRA = Path(__file__).parents[1]
USUAL_PORTS: Mapping[str, int] = {
    "prometheus": 9090,
    "alertmanager": 9093,
    "node": 9100,
    "redis": 9121,
    "postgres": 9187,
}
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Program:
    """One process: its job for Prometheus, its port, what runs it."""

    job: str
    port: int
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def free_ports() -> dict[str, int]:
    """A port for each program: the usual one, or the next free one."""
    ports: dict[str, int] = {}
    for name, usual in USUAL_PORTS.items():
        free = (port for port in range(usual, usual + TRIES) if port not in ports.values() and port_is_free(port))
        ports[name] = next(free)
    return ports


def programs(settings: Settings, folder: Path, ports: Mapping[str, int]) -> tuple[Program, ...]:
    """What runs: Prometheus, and of the others those that are installed. Raises FatalError where Prometheus is not."""
    home = settings.home.absolute()
    chosen = []
    for job, (name, arguments, environment) in _programs(settings, folder).items():
        started_by = _started_by(job, name, home)
        if started_by is not None:
            command = (*started_by, f"--web.listen-address={HOST}:{ports[job]}", *arguments)
            chosen.append(Program(job, ports[job], command, environment))
    return tuple(chosen)


def _started_by(job: str, name: str, home: Path) -> tuple[str, ...] | None:
    if job == "alertmanager":
        return alertmanager.command(home)
    found = tools.require(name, home) if job == "prometheus" else tools.find(name, home)
    return None if found is None else (str(found),)


def _programs(settings: Settings, folder: Path) -> dict[str, tuple[str, tuple[str, ...], dict[str, str]]]:
    """By job: the program, its arguments besides where it listens, and what it learns from its environment."""
    redis = urlsplit(settings.redis.url.get_secret_value())
    database = settings.database.url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)
    prometheus = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=15d",
    )
    alerting = (
        f"--config.file={INFRA / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=",
    )
    cache = {"REDIS_ADDR": f"redis://{redis.hostname}:{redis.port}", "REDIS_PASSWORD": redis.password or ""}
    return {
        "prometheus": ("prometheus", prometheus, {}),
        "alertmanager": ("prometheus-alertmanager", alerting, {}),
        "node": ("prometheus-node-exporter", (), {}),
        "redis": ("prometheus-redis-exporter", (), cache),
        "postgres": ("prometheus-postgres-exporter", (), {"DATA_SOURCE_NAME": f"{database}?sslmode=disable"}),
    }


def lay_out(folder: Path, services: Mapping[str, int], chosen: Sequence[Program], interval: str = "15s") -> None:
    """Copy the configuration, and write the targets: Riskee's services by name and port, and the programs."""
    source = INFRA / "prometheus"
    shutil.rmtree(folder / "rules", ignore_errors=True)
    shutil.copytree(source / "rules", folder / "rules")
    (folder / "targets").mkdir(exist_ok=True)
    text = re.sub(r"(_interval|_timeout): \d+s", rf"\1: {interval}", (source / "prometheus.yml").read_text())
    (folder / "prometheus.yml").write_text(text)
    ports = {program.job: program.port for program in chosen}
    # Several predictors are instances of one job. JSON is YAML too.
    groups = [_group(name.partition("-")[0], port) for name, port in {**services, **ports}.items()]
    (folder / "targets" / "open-native.yml").write_text(json.dumps(groups, indent=2))
    alertmanagers = [_group(job, port) for job, port in ports.items() if job == "alertmanager"]
    (folder / "targets" / "alertmanagers-native.yml").write_text(json.dumps(alertmanagers))


def _group(job: str, port: int) -> dict[str, object]:
    return {"labels": {"job": job}, "targets": [f"{HOST}:{port}"]}


@contextmanager
def running(chosen: Sequence[Program], logs: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run the programs, each with a log in `logs`, and end them."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for program in chosen:
            with (logs / f"{program.job}.log").open("wb") as log:
                environment = {**os.environ, **program.environment}
                processes.append(subprocess.Popen(program.command, env=environment, stdout=log, stderr=log))  # noqa: S603
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(_STOP_SECONDS)


def require_alive(processes: Sequence[subprocess.Popen[bytes]], logs: Path) -> None:
    """Raises FatalError for one that has ended."""
    for process in processes:
        if process.poll() is not None:
            name = Path(str(process.args[0])).name  # type: ignore[index]
            raise FatalError(f"{name} has ended with {process.returncode}", f"its log is in {logs}")
