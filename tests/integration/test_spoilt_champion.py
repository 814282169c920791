"""predict and a champion that was altered in the registry: the last good model goes on predicting."""

import uuid
from datetime import UTC, datetime

import msgspec
import pytest
from sqlalchemy import Engine

from riskee.messaging.envelope import wrap
from riskee.messaging.messages import ModelPromoted
from riskee.messaging.subjects import MODEL_PROMOTED
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from serving.consumers import predict
from tests.integration.conftest import consumer, eventually
from tests.integration.live_data import fill, made_model, promote
from tests.integration.tampering import SPOILT, spoil
from tests.integration.test_predict_service import Heard, play, waves

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("how", SPOILT)
async def test_the_last_good_model_goes_on_predicting(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, how: str
) -> None:
    heard, new = Heard(), made_model("normal", seed=2)
    await heard.attach(bus)
    with engine.begin() as connection:
        market = fill(connection)
    session = waves(market, -30)
    async with consumer("predict", database_settings, predict.main) as running:
        await play(bus, session[:1])
        await eventually(lambda: len(heard.predictions) == 3)
        with engine.begin() as connection:
            promote(connection, new)
            spoil(connection, new, how)
        await _announce(bus, new.version, new.sha256)
        await eventually(lambda: not running.health.ready)
        await play(bus, session[1:2])
        await eventually(lambda: len(heard.predictions) == 6)
        report = msgspec.json.encode(running.health.report()).decode()
    assert {each.payload.model_version for each in heard.predictions} == {made_model("normal").version}
    assert heard.failures == []
    assert "model" in report
    assert "riskee models rollback" in report, "the trouble names the next step"


async def _announce(bus: Bus, version: str, sha256: str) -> None:
    identity = uuid.uuid4()
    news = ModelPromoted(model_type="normal", model_version=version, artifact_sha256=sha256, reason="better")
    sealed = wrap(news, message_id=identity, correlation_id=identity, source="test", at=datetime.now(UTC))
    await bus.publish(MODEL_PROMOTED, sealed)
