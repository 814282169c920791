"""No panel is empty, asked of a real Prometheus that has scraped the running services."""

import asyncio
import json
import math
import uuid
from datetime import UTC, datetime

import httpx
import pytest
from websockets.asyncio.client import connect

from infra.grafana.dashboards import DASHBOARDS
from riskee.messaging.envelope import wrap
from riskee.messaging.messages import ChampionWatch, ModelType
from riskee.messaging.subjects import QUOTE, WATCH_OF
from riskee.storage.bus import Bus
from tests.integration.conftest import eventually
from tests.integration.live_data import TICKERS, made_model
from tests.integration.monitoring.conftest import Watched

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
POISON = uuid.UUID(int=77)
PATIENCE_SECONDS = 90.0


async def tell_of_champion(bus: Bus, model_type: ModelType) -> None:
    """As Dagster's watch does."""
    watch = ChampionWatch(
        model_type=model_type,
        model_version=made_model(model_type).version,
        decay={"accuracy": 0.1, "calibration": 0.2, "coverage": 0.1},
        drift_p_value=0.4,
        drift={"return_1d": 1.1, "volatility_20d": 0.8},
    )
    identity = uuid.uuid4()
    envelope = wrap(watch, message_id=identity, correlation_id=identity, source="test", at=datetime.now(UTC))
    await bus.publish(WATCH_OF[model_type], envelope)


async def use(api: str) -> str:
    """What people do: read, follow the stream, and ask for an explanation, which gives the id of what it is of."""
    async with httpx.AsyncClient(base_url=api, timeout=120) as client:
        for ticker in TICKERS:
            await client.get(f"/v1/predict/{ticker}")
        await client.get("/v1/tickers")
        explanation = (await client.post(f"/v1/explain/{TICKERS[0]}")).json()
    async with connect(api.replace("http", "ws") + "/v1/stream") as socket:
        await socket.send('{"type": "subscribe", "tickers": ["*"]}')
        async with asyncio.timeout(60):
            while "prediction" not in str(await socket.recv()):
                pass
    return str(explanation["prediction_id"])


def empty(watched: Watched) -> dict[str, str]:
    """The queries of panels that give no number."""
    found = {}
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for legend, query in panel.queries.items():
                result = watched.ask("query", query=query.replace("$__rate_interval", "1m"))["result"]
                if not any(math.isfinite(float(series["value"][1])) for series in result):
                    found[f"{dashboard.title}: {panel.title} ({legend})"] = query
    return found


def health_of_targets(watched: Watched) -> dict[str, str]:
    targets = watched.ask("targets")["activeTargets"]
    return {target["labels"]["job"]: target["health"] for target in targets}


async def test_no_panel_is_empty_and_every_rule_can_be_evaluated(watched: Watched, bus: Bus) -> None:
    for model_type in WATCH_OF:
        await tell_of_champion(bus, model_type)
    await eventually(lambda: _predicts(watched.api))
    await bus.jetstream.publish(QUOTE.name, json.dumps({"correlation_id": str(POISON), "payload": {}}).encode())
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        explained = await use(watched.api)
        missing = await asyncio.to_thread(empty, watched)
        if not missing or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(2)
    assert missing == {}
    wanted = dict.fromkeys((*watched.services, *watched.ports), "up")
    # A busy machine may answer one of Prometheus' looks, each second, too late.
    await eventually(lambda: health_of_targets(watched) == wanted)
    rules = [rule for group in watched.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    # One id leads from a message to the lines of the log that it caused.
    assert explained in {line["correlation_id"] for line in watched.said("explain", "explained")}
    assert {line["correlation_id"] for line in watched.said("record", "dead letter")} == {str(POISON)}
    assert len(watched.ask("alertmanagers")["activeAlertmanagers"]) == ("alertmanager" in watched.ports)


async def _predicts(api: str) -> bool:
    async with httpx.AsyncClient(base_url=api) as client:
        try:
            return (await client.get(f"/v1/predict/{TICKERS[0]}")).status_code == 200
        except httpx.HTTPError:
            return False
