"""The checks of `riskee doctor`: which there are, how they are run, and those of this machine."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from riskee.cli import server_checks as servers
from riskee.cli.finding import Finding
from riskee.errors import RiskeeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from riskee.settings import Settings

_LEAST_FREE = 2 * 2**30


def all_checks(settings: Settings) -> list[tuple[str, Callable[[Settings], Finding]]]:
    """The checks that fit the profile, by name."""
    metrics = settings.metrics
    ports = {
        "ingest": metrics.ingest_port,
        "predict": metrics.predict_port,
        "record": metrics.record_port,
        "explain": metrics.explain_port,
    }
    checks: list[tuple[str, Callable[[Settings], Finding]]] = [
        ("python", check_python),
        ("disk", check_disk),
        ("feed", check_feed),
    ]
    if settings.profile == "embedded":
        ports |= _further_predictors(settings)
        checks += [("processes", check_processes), ("ports", check_ports), ("downloads", check_downloads)]
    checks += [
        ("database", servers.check_database),
        ("models", servers.check_models),
        ("redis", servers.check_redis),
        ("nats", servers.check_nats),
    ]
    checks += [
        ("qdrant", servers.check_qdrant),
        ("ollama", servers.check_ollama),
        ("api", servers.check_api),
        ("dagster", servers.check_dagster),
    ]
    return checks + [(name, servers.consumer_check(name, port)) for name, port in ports.items()]


def _further_predictors(settings: Settings) -> dict[str, int]:
    from infra.embedded.ports import is_predictor
    from riskee.cli.runtime import embedded_stack

    ports = embedded_stack(settings).ports
    return {name: port for name, port in ports.items() if is_predictor(name) and name != "predict"}


def run_check(item: tuple[str, Callable[[Settings], Finding]], settings: Settings) -> Finding:
    """Run one of them; its errors are findings too."""
    name, check = item
    began = time.perf_counter()
    try:
        found = check(settings)
    except RiskeeError as error:
        found = Finding(name, "problem", detail=error.cause.splitlines()[0], remedy=error.remedy or "`riskee up`")
    return replace(found, milliseconds=round(1000 * (time.perf_counter() - began), 1))


def check_python(_settings: Settings) -> Finding:
    """The interpreter and the machine."""
    from riskee import __version__

    return Finding(
        "python", "ok", platform.python_version(), f"riskee {__version__}, {sys.platform} {platform.machine()}"
    )


def check_disk(settings: Settings) -> Finding:
    """Room where the data lies."""
    folder = settings.home if settings.home.exists() else settings.home.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 2**30:.1f} GiB free for {settings.home}"
    if free < _LEAST_FREE:
        return Finding("disk", "problem", "", detail, "free some space, or set RISKEE_HOME to another disk")
    return Finding("disk", "ok", "", detail)


def check_feed(settings: Settings) -> Finding:
    """What the live feed needs of the settings; whether it is connected, the check of ingest says."""
    from riskee.market.sources.alpaca_access import require_keys, require_private

    if settings.feed.kind == "alpaca":
        require_keys(settings.alpaca)
        require_private(settings.alpaca.stream.url, "RISKEE_ALPACA__STREAM__URL")
    return Finding("feed", "ok", "", settings.feed.kind)


def check_processes(settings: Settings) -> Finding:
    """All processes of the embedded stack run."""
    from riskee.cli.runtime import embedded_stack

    found = embedded_stack(settings).status()
    if not found:
        return Finding("processes", "problem", "", "nothing was started yet", "`riskee up`")
    bad = [f"{process.name} is {process.state.lower()}" for process in found if process.state != "RUNNING"]
    if bad:
        return Finding("processes", "problem", "", ", ".join(bad), "`riskee up`; the cause is in `riskee logs NAME`")
    restarts = sum(process.restarts for process in found)
    told = f"{len(found)} running, {restarts} restarts since the start"
    return Finding(
        "processes", "warning" if restarts else "ok", "", told, "`riskee status` shows which" * bool(restarts)
    )


def check_ports(settings: Settings) -> Finding:
    """Which ports are not the usual ones."""
    from riskee.cli.runtime import embedded_stack

    moved = [f"{name} {port} (not {usual})" for name, usual, port in embedded_stack(settings).moved_ports()]
    return Finding("ports", "ok", "", "moved: " + ", ".join(moved) if moved else "all as usual")


def check_downloads(settings: Settings) -> Finding:
    """Data, embedding model and weights."""
    from riskee.blobs import Blobs
    from riskee.blobs.weights import DOWNLOADS
    from riskee.cli.downloads import DATA, EMBEDDING

    names = [*DATA, *(EMBEDDING if settings.embedding.backend == "onnx" else ())]
    if settings.llm.weights is None and settings.llm.model in DOWNLOADS:
        names.append(DOWNLOADS[settings.llm.model])
    missing = [name for name in names if not Blobs(settings.home).present(name)]
    if missing:
        return Finding("downloads", "problem", "", f"missing: {', '.join(missing)}", "`riskee up` fetches them")
    return Finding("downloads", "ok", "", f"{len(names)} present")
