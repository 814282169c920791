"""The checks of `riskee doctor`: each asks one dependency and answers what it found."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from riskee.errors import RetryableError, RiskeeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from riskee.settings import Settings

TIMEOUT_SECONDS = 5.0
_LEAST_FREE = 2 * 2**30
_HOST = "127.0.0.1"

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What a check found. A warning does not make the doctor fail."""

    name: str
    state: State
    version: str = ""
    detail: str = ""
    remedy: str = ""
    milliseconds: float = 0.0


def all_checks(settings: Settings) -> list[tuple[str, Callable[[Settings], Finding]]]:
    """The checks that fit the profile, by name."""
    metrics = settings.metrics
    ports = {
        "ingest": metrics.ingest_port,
        "predict": metrics.predict_port,
        "record": metrics.record_port,
        "explain": metrics.explain_port,
    }
    checks: list[tuple[str, Callable[[Settings], Finding]]] = [("python", check_python), ("disk", check_disk)]
    if settings.profile == "embedded":
        checks += [("processes", check_processes), ("ports", check_ports), ("downloads", check_downloads)]
    checks += [("database", check_database), ("models", check_models), ("redis", check_redis), ("nats", check_nats)]
    checks += [("qdrant", check_qdrant), ("ollama", check_ollama), ("api", check_api), ("dagster", check_dagster)]
    return checks + [(name, _consumer(name, port)) for name, port in ports.items()]


def run_check(item: tuple[str, Callable[[Settings], Finding]], settings: Settings) -> Finding:
    """Run one of them; its errors are findings too."""
    from dataclasses import replace

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
    from infra.embedded.ports import USUAL_PORTS
    from riskee.cli.runtime import embedded_stack

    ports = embedded_stack(settings).ports
    moved = [f"{name} {port} (not {USUAL_PORTS[name]})" for name, port in ports.items() if port != USUAL_PORTS[name]]
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


def check_database(settings: Settings) -> Finding:
    """PostgreSQL answers, and has which tier."""
    from sqlalchemy import text

    from riskee.cli.replay import with_database
    from riskee.storage.migrations import detect_tier

    def ask(connection: Any) -> Finding:
        version = str(connection.scalar(text("SHOW server_version")))
        size = connection.scalar(text("SELECT pg_size_pretty(pg_database_size(current_database()))"))
        return Finding("database", "ok", version, f"tier {detect_tier(connection)}, {size}")

    found: Finding = with_database(settings, ask)
    return found


def check_models(settings: Settings) -> Finding:
    """Both model types have a champion."""
    from riskee.cli.pipeline import missing_champions

    missing = missing_champions(settings)
    if missing:
        return Finding("models", "problem", "", f"no champion: {', '.join(missing)}", "`riskee up` trains them")
    return Finding("models", "ok", "", "a champion of each type")


def check_redis(settings: Settings) -> Finding:
    """The cache answers."""
    import redis

    try:
        url = settings.redis.url.get_secret_value()
        with redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        ) as client:
            info: Any = client.info()
    except (redis.RedisError, OSError) as error:
        raise RetryableError(f"the cache does not answer: {error}", "`riskee up`; `riskee logs redis`") from error
    name = info.get("server_name", "redis")
    version = info.get(f"{name}_version", info["redis_version"])
    return Finding(
        "redis",
        "ok",
        f"{name} {version}",
        f"{info['used_memory_human']} used, {info['db0']['keys'] if 'db0' in info else 0} keys",
    )


def check_nats(settings: Settings) -> Finding:
    """The bus answers and has every stream."""
    from riskee.messaging.streams import STREAMS
    from riskee.storage.bus import Bus

    async def ask() -> tuple[str, set[str]]:
        bus = await Bus.connect(settings.nats, "doctor", timeout=TIMEOUT_SECONDS)
        try:
            streams = {info.config.name or "" for info in await bus.jetstream.streams_info()}
            return str(bus.client.connected_server_version).strip("<>").rpartition(" v")[2], streams
        finally:
            await bus.close()

    version, streams = asyncio.run(ask())
    missing = [stream.name for stream in STREAMS if stream.name not in streams]
    if missing:
        return Finding("nats", "problem", version, f"no stream {', '.join(missing)}", "`riskee up` makes them")
    return Finding("nats", "ok", version, f"{len(STREAMS)} streams")


def check_qdrant(settings: Settings) -> Finding:
    """The vector database answers and has every collection."""
    from riskee.documents.document import COLLECTIONS
    from riskee.storage.vectors import Vectors

    version = str(_json(f"{settings.vectors.url}/", "qdrant").get("version", ""))
    vectors = Vectors(settings.vectors)
    try:
        counts = {name: vectors.count(name) for name in COLLECTIONS}
    finally:
        vectors.close()
    empty = [name for name, count in counts.items() if not count]
    told = f"{sum(counts.values()):,} documents in {len(counts)} collections"
    if empty:
        return Finding("qdrant", "warning", version, f"{told}; empty: {', '.join(empty)}", "materialise the embeddings")
    return Finding("qdrant", "ok", version, told)


def check_ollama(settings: Settings) -> Finding:
    """The language model's server answers and has the model."""
    url = settings.llm.url
    version = str(_json(f"{url}/api/version", "ollama").get("version", ""))
    models = [model["name"] for model in _json(f"{url}/api/tags", "ollama").get("models", [])]
    if settings.llm.model not in models:
        cause = f"{settings.llm.model} is not there: the template explains"
        return Finding("ollama", "problem", version, cause, "`riskee up` fetches it; elsewhere: `ollama pull`")
    return Finding("ollama", "ok", version, settings.llm.model)


def check_api(settings: Settings) -> Finding:
    """The API is ready."""
    from riskee.cli.api import base_url

    return _ready("api", base_url(settings))


def check_dagster(settings: Settings) -> Finding:
    """Dagster's webserver answers."""
    info = _json(f"{settings.dagster.url}/server_info", "dagster-webserver")
    return Finding("dagster", "ok", str(info.get("dagster_version", "")), settings.dagster.url)


def _consumer(name: str, port: int) -> Callable[[Settings], Finding]:
    def check(_settings: Settings) -> Finding:
        return _ready(name, f"http://{_HOST}:{port}")

    return check


def _ready(name: str, base: str) -> Finding:
    report = _json(f"{base}/health/ready", name)
    troubles = [f"{one}: {state}" for one, state in report.get("dependencies", {}).items() if state != "ok"]
    if report.get("status") == "ok":
        return Finding(name, "ok", "", base)
    return Finding(name, "problem", "", "; ".join(troubles) or str(report.get("status")), f"`riskee logs {name}`")


def _json(url: str, process: str) -> dict[str, Any]:
    """The JSON object at an address; an error status may carry one too."""
    import json

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (from the settings)
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except (OSError, ValueError) as error:
        raise RetryableError(f"{url} does not answer: {error}", f"`riskee up`; `riskee logs {process}`") from error
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError) as error:
        raise RetryableError(f"{url} answers no JSON object", f"is it {process}? see `riskee settings`") from error
