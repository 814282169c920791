"""What a start would run: ports, passwords, processes and every generated file, without touching anything."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.embedded import configuration
from infra.embedded.credentials import Credentials
from infra.embedded.files import Home, write_private
from infra.embedded.ports import HOST
from infra.embedded.postgres import Postgres
from infra.embedded.processes import AUDIT_LOG, AUDIT_SETTING, EXTERNAL_SERVERS, Process, server_table, service_table
from infra.embedded.supervisor import render
from riskee.settings import ENV_PREFIX, TEST_PREFIX

PACKAGES = ("riskee", "riskee_dagster", "serving", "dbt_like_sql", "infra")


@dataclass(frozen=True)
class Plan:
    """The processes in starting order, and the text of each generated file."""

    repo_root: Path
    processes: tuple[Process, ...]
    files: Mapping[Path, str]

    def fingerprint(self) -> str:
        """Changes when a running stack would have to be restarted to match: files, settings or code differ."""
        files = [[str(path), content] for path, content in self.files.items()]
        text = json.dumps([files, settings_of(os.environ), code_of(self.repo_root)])
        return hashlib.sha256(text.encode()).hexdigest()

    def write(self) -> None:
        """Write the files, readable for the owner only."""
        for path, content in self.files.items():
            write_private(path, content)


def settings_of(environ: Mapping[str, str]) -> list[list[str]]:
    """The user's settings, which all children inherit. The home is not among them: it is told to them anyway."""
    return [
        [name, value]
        for name, value in sorted(environ.items())
        if name.startswith(ENV_PREFIX) and not name.startswith(TEST_PREFIX) and name != f"{ENV_PREFIX}HOME"
    ]


def code_of(repo_root: Path) -> list[tuple[str, int, int]]:
    """(path, size, time of change) of the code that the children run: an update is noticed without reading it."""
    packages = [repo_root / package for package in PACKAGES]
    files = sorted(file for package in packages for file in package.rglob("*") if file.suffix in {".py", ".sql"})
    return [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def make_plan(
    home: Home, repo_root: Path, ports: Mapping[str, int], credentials: Credentials, postgres: Postgres
) -> Plan:
    """Put the table of processes and their files together. Raises FatalError where the platform lacks a server."""
    command = postgres.command(postgres.identity(), ports["postgres"])
    external = {name for name, setting in EXTERNAL_SERVERS.items() if setting in os.environ}
    servers = [p for p in server_table(home, ports, credentials, command) if p.name not in external]
    of_api = {} if AUDIT_SETTING in os.environ else {AUDIT_SETTING: AUDIT_LOG}
    processes = (*servers, *service_table(ports, os.environ.get(f"{ENV_PREFIX}API__HOST", HOST), of_api))
    store = configuration.store_bytes(home)
    endpoints = json.dumps(configuration.endpoints(ports, credentials, store), indent=2)
    return Plan(
        repo_root,
        processes,
        {
            home.run / "endpoints.json": endpoints,
            home.run / "nats.conf": configuration.nats_config(home, ports, credentials),
            home.run / "valkey.conf": configuration.valkey_config(home, ports, credentials),
            home.dagster / "dagster.yaml": configuration.dagster_config(home, ports, credentials),
            home.run / "supervisord.conf": render(
                home, repo_root, processes, ports["supervisor"], credentials.supervisor
            ),
        },
    )
