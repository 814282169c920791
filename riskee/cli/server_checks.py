"""The doctor's checks of servers and services, each by its own protocol."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from riskee.cli.finding import Finding
from riskee.errors import RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from riskee.settings import Settings

TIMEOUT_SECONDS = 5.0
_HOST = "127.0.0.1"


def check_database(settings: Settings) -> Finding:
    """PostgreSQL answers, and has which tier."""
    from sqlalchemy import text

    from riskee.cli.runtime import with_database
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
    """The cache answers: with Sentinels, the server that they call the master."""
    import redis

    from riskee.storage.sentinels import located
    from riskee.storage.trust import redis_trust

    there = located(settings.redis, TIMEOUT_SECONDS)
    limits: dict[str, Any] = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    try:
        with redis.Redis.from_url(there.url.get_secret_value(), **limits, **redis_trust(there)) as client:
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


def consumer_check(name: str, port: int) -> Callable[[Settings], Finding]:
    """The check that a consumer is ready."""

    def check(_settings: Settings) -> Finding:
        return _ready(name, f"http://{_HOST}:{port}")

    return check


def _ready(name: str, base: str) -> Finding:
    report = _json(f"{base}/health/ready", name)
    troubles = [f"{one}: {state}" for one, state in report.get("dependencies", {}).items() if state != "ok"]
    if report.get("status") == "ok":
        return Finding(name, "ok", "", "; ".join([base, *report.get("notes", {}).values()]))
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
