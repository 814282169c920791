"""predict while quotes never pause: models change, one of them is spoilt, and jobs go first."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from nats.aio.msg import Msg
from sqlalchemy import Engine, select

from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import ModelPromoted, PredictJob, Quote
from riskee.messaging.subjects import MODEL_PROMOTED, PREDICT_NORMAL, PREDICTION_UPDATED, QUOTE
from riskee.model.artifact import ModelArtifact
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.tables import predictions
from serving.consumers import predict, record
from serving.reproduction import reproduce
from tests.integration.conftest import consumer, eventually
from tests.integration.live_data import Market, fill, made_model, promote
from tests.integration.tampering import spoil
from tests.integration.test_predict_service import Heard, waves

pytestmark = pytest.mark.integration

# Sessions on end.
FIRST, LAST = -70, -10


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection)


@pytest.fixture
async def heard(bus: Bus) -> Heard:
    heard = Heard()
    await heard.attach(bus)
    return heard


def told(market: Market) -> list[list[Envelope[Quote]]]:
    return [wave for place in range(FIRST, LAST) for wave in waves(market, place)]


async def announce(bus: Bus, engine: Engine, artifact: ModelArtifact, how_spoilt: str = "") -> None:
    """Promote a model, whose stored form may be spoilt."""
    with engine.begin() as connection:
        promote(connection, artifact)
        if how_spoilt:
            spoil(connection, artifact, how_spoilt)
    news = ModelPromoted(
        model_type="normal", model_version=artifact.version, artifact_sha256=artifact.sha256, reason="better"
    )
    identity, at = uuid.uuid4(), datetime.now(UTC)
    await bus.publish(MODEL_PROMOTED, wrap(news, message_id=identity, correlation_id=identity, source="test", at=at))


def versions(heard: Heard) -> list[str]:
    """The normal models that made predictions, in the order in which they began to."""
    made = [each.payload for each in heard.predictions if each.payload.model_type == "normal"]
    return list(dict.fromkeys(prediction.model_version for prediction in made))


async def test_models_change_under_load_without_a_failure(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, heard: Heard
) -> None:
    first, second, spoilt, last = (made_model("normal", seed=seed) for seed in (1, 2, 3, 4))
    done = asyncio.Event()

    async def play() -> None:
        for number, wave in enumerate(told(market)):
            await bus.publish(QUOTE, *wave)
            # As fast as they are predicted, and not faster: else few would be left once the first model has changed.
            await eventually(lambda number=number: len(heard.predictions) >= 3 * (number - 20))  # type: ignore[misc]
            if done.is_set() and versions(heard)[-1] == last.version:
                return
        raise AssertionError("the quotes came to an end before the models had changed")

    async with (
        consumer("record", database_settings, record.main),
        consumer("predict", database_settings, predict.main) as running,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(play())
        await eventually(lambda: heard.predictions)
        await announce(bus, engine, second)
        await eventually(lambda: versions(heard) == [first.version, second.version])
        await announce(bus, engine, spoilt, "a flipped bit")
        await eventually(lambda: "digest" in str(running.health.report()))
        count = len(heard.predictions)
        await eventually(lambda: len(heard.predictions) > count + 6)
        await announce(bus, engine, last)
        done.set()
        await eventually(lambda: running.health.ready and versions(heard)[-1] == last.version)
    assert heard.failures == []
    assert heard.dead == []
    assert versions(heard) == [first.version, second.version, last.version]
    with engine.connect() as connection:
        stored = connection.scalars(select(predictions.c.prediction_id)).all()
        assert len(stored) == len({each.payload.prediction_id for each in heard.predictions})
        # Each was made by the version that it names: that one makes the same bytes again.
        assert all(reproduce(connection, database_settings, identity).equal for identity in stored[::7])


def question(job: PredictJob) -> Envelope[PredictJob]:
    return wrap(job, message_id=job.job_id, correlation_id=job.job_id, source="test", at=job.requested_at)


async def test_jobs_do_not_wait_for_the_backlog(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    """One is asked with every twentieth prediction, wherever its batch has come to."""
    backlog: Sequence[Envelope[Quote]] = [envelope for wave in told(market) for envelope in wave]
    await bus.publish(QUOTE, *backlog)
    asked: dict[uuid.UUID, int] = {}

    async def ask(_message: Msg) -> None:
        if len(heard.predictions) >= 20 * len(asked):
            job = PredictJob(job_id=uuid.uuid4(), ticker="IBM", requested_at=datetime.now(UTC))
            asked[job.job_id] = len(heard.predictions)
            await bus.publish(PREDICT_NORMAL, question(job))

    def waited() -> list[int]:
        """How many predictions came between each question and its answer."""
        heard_at = enumerate(heard.predictions)
        return [at - asked[each.correlation_id] for at, each in heard_at if each.correlation_id in asked]

    await bus.listen(PREDICTION_UPDATED.name, ask)
    async with consumer("predict", database_settings, predict.main):
        last = market.sessions[LAST - 1].closes_at
        await eventually(lambda: asked and all(p.data_time == last for p in heard.latest().values()), 60)
        # Who asks between two sessions may hear that there is no quote of the new one yet.
        await eventually(lambda: len(waited()) + len(heard.failures) == len(asked))
    assert len(waited()) >= 4
    # A wave is of three tickers. Without turns a job would wait for its batch, of some thirty sessions.
    assert max(waited()) < 40
