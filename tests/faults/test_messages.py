"""Poison among the quotes, and a model that was altered before its promotion."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import select

from riskee.messaging.envelope import wrap
from riskee.messaging.messages import ModelPromoted, PredictJob
from riskee.messaging.subjects import MODEL_PROMOTED, PREDICT_NORMAL, PREDICTION_UPDATED
from riskee.model.artifact import ModelArtifact
from riskee.storage import tables
from riskee.storage.bus import codec_of
from tests.faults.conftest import full_only, load
from tests.faults.driver import until_accepted
from tests.faults.market import TICKERS
from tests.faults.recovery import SERVICE_SECONDS
from tests.faults.reporting import Result
from tests.faults.scenario import Scenario, play
from tests.integration.conftest import eventually
from tests.integration.live_data import made_model, promote
from tests.integration.tampering import spoil

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
Holds = Callable[[Result], None]


async def poison_elsewhere(scenario: Scenario) -> None:
    """Put poison among the jobs and the predictions too."""
    poisoner, observer = scenario.driver.poisoner, scenario.observer
    assert poisoner
    await eventually(lambda: bool(observer.rows(select(tables.predictions.c.ticker).limit(1))))
    identity, now = uuid.uuid4(), datetime.now(UTC)
    job = PredictJob(job_id=identity, ticker=TICKERS[0], requested_at=now)
    good = {
        PREDICT_NORMAL.name: codec_of(PREDICT_NORMAL).encode(
            wrap(job, message_id=identity, correlation_id=identity, source="faults", at=now)
        ),
        PREDICTION_UPDATED.name: (await observer.messages(PREDICTION_UPDATED.name))[0],
    }
    for subject, data in good.items():
        await until_accepted(scenario.bus, poisoner.spoil(subject, data))


async def test_poison(holds: Holds) -> None:
    """One quote in a hundred is poison, so are some jobs and predictions, and the services are killed among it."""

    async def kill(scenario: Scenario) -> None:
        await poison_elsewhere(scenario)
        for name in ("record", "predict"):
            await scenario.strike(lambda name=name: scenario.arena.kill(name), 1)  # type: ignore[misc]

    result = await play("1 % poison", load(poison=0.01), kill, bar=SERVICE_SECONDS)
    assert result.dead_letters > 0
    holds(result)


async def announce(scenario: Scenario, model: ModelArtifact) -> None:
    """Tell of a promotion, as the registration does."""
    identity = uuid.uuid4()
    news = ModelPromoted(
        model_type=model.model_type, model_version=model.version, artifact_sha256=model.sha256, reason="better"
    )
    sealed = wrap(news, message_id=identity, correlation_id=identity, source="faults", at=datetime.now(UTC))
    await scenario.bus.publish(MODEL_PROMOTED, sealed)


async def corrupt_promotion(scenario: Scenario) -> None:
    """Promote a model whose stored artifact has one bit flipped."""
    model = made_model("normal", seed=2)
    with scenario.arena.engine.begin() as connection:
        promote(connection, model)
        spoil(connection, model, "a flipped bit")
    await announce(scenario, model)


def versions(scenario: Scenario) -> set[str]:
    """The models that made the stored predictions."""
    return {row[0] for row in scenario.observer.rows(select(tables.predictions.c.model_version).distinct())}


@full_only
async def test_a_corrupt_artifact_is_never_served(holds: Holds) -> None:
    """The last good model goes on; the health names the trouble; a good promotion after it is taken at once."""
    before, after = made_model("normal"), made_model("normal", seed=3)
    seen: list[set[str]] = []

    async def promotions(scenario: Scenario) -> None:
        await corrupt_promotion(scenario)
        port = scenario.arena.status("predict").port
        async with httpx.AsyncClient() as client:

            async def told() -> bool:
                answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
                return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "riskee models rollback" in answer.text

            await eventually(told)
        seen.append(versions(scenario))
        with scenario.arena.engine.begin() as connection:
            promote(connection, after)
        await announce(scenario, after)
        await eventually(lambda: after.version in versions(scenario))
        seen.append(versions(scenario))

    holds(await play("corrupt artifact at promotion", load(), promotions))
    assert seen == [{before.version}, {before.version, after.version}]
