"""predict against real servers: every quote its prediction, the same ones after a crash, and a change of models."""

import asyncio
import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from nats.aio.msg import Msg
from sqlalchemy import Engine

from riskee.clock import SystemClock
from riskee.features.definitions import WARM_UP_BARS
from riskee.features.kernel import FeatureState
from riskee.market.quotes import QuoteGate
from riskee.market.replay import expand, feed_name
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import Flag, ModelPromoted, Prediction, PredictionFailed, PredictJob, Quote
from riskee.messaging.subjects import (
    DEAD_QUOTE,
    MODEL_PROMOTED,
    PREDICT_EARNINGS,
    PREDICT_NORMAL,
    PREDICTION_FAILED,
    PREDICTION_UPDATED,
    QUOTE,
)
from riskee.model.predictor import Predictor
from riskee.settings import Settings
from riskee.storage import keys
from riskee.storage.bus import Bus, codec_of
from riskee.storage.cache import Cache
from riskee.storage.calendar import Report, write_reports
from riskee.storage.entries import Entry
from riskee.storage.recent_bars import recent_bars
from riskee.storage.recording import QUOTES, record
from riskee.telemetry import STATE_REBUILDS
from serving.consumers import models, predict
from serving.consumers.ingest import screen
from tests.integration.conftest import consumer, eventually
from tests.integration.live_data import MARKET, TICKERS, Market, fill, made_model, promote

pytestmark = pytest.mark.integration


class Heard:
    """What predict says on the bus."""

    def __init__(self) -> None:
        self.predictions: list[Envelope[Prediction]] = []
        self.failures: list[Envelope[PredictionFailed]] = []
        self.dead: list[bytes] = []

    async def attach(self, bus: Bus) -> None:
        await bus.listen(PREDICTION_UPDATED.name, self._on_prediction)
        await bus.listen(PREDICTION_FAILED.name, self._on_failure)
        await bus.listen(DEAD_QUOTE.name, self._on_dead)

    async def _on_prediction(self, message: Msg) -> None:
        self.predictions.append(codec_of(PREDICTION_UPDATED).decode(message.data))

    async def _on_failure(self, message: Msg) -> None:
        self.failures.append(codec_of(PREDICTION_FAILED).decode(message.data))

    async def _on_dead(self, message: Msg) -> None:
        self.dead.append(message.data)

    def latest(self) -> dict[str, Prediction]:
        return {envelope.payload.ticker: envelope.payload for envelope in self.predictions}


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection)


@pytest.fixture
async def heard(bus: Bus) -> Heard:
    heard = Heard()
    await heard.attach(bus)
    return heard


def waves(market: Market, place: int, pass_number: int = 1) -> list[list[Envelope[Quote]]]:
    """The four waves of a session, the market's quote first."""
    session = market.sessions[place]
    told = [
        expand(market.bar(name, session.session_date), session, feed_name(pass_number)) for name in (MARKET, *TICKERS)
    ]
    gate = QuoteGate({MARKET, *TICKERS}, session.closes_at - session.opens_at)
    return [screen([ticks[wave] for ticks in told], gate, SystemClock())[0] for wave in range(4)]


async def play(bus: Bus, session: Sequence[Sequence[Envelope[Quote]]]) -> None:
    for wave in session:
        await bus.publish(QUOTE, *wave)


def expected_features(engine: Engine, market: Market, place: int, ticker: str) -> list[float]:
    """The features of a finished session, from the database alone."""
    with engine.connect() as connection:
        after = market.sessions[place + 1].session_date if place != -1 else None
        bars = recent_bars(connection, after or market.sessions[-1].session_date.replace(year=2030), WARM_UP_BARS)
    state = FeatureState(bars, MARKET)
    return list(state.features(np.array([state.index_of[ticker]]))[0].tolist())


async def test_every_quote_gets_a_full_prediction(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, heard: Heard
) -> None:
    session = waves(market, -30)
    async with consumer("predict", database_settings, predict.main) as running:
        await play(bus, session)
        await eventually(lambda: set(heard.latest()) == set(TICKERS) and _all_final(heard))
        assert running.health.ready
    for envelope in session[-1][1:]:
        quote, found = envelope.payload, heard.latest()[envelope.payload.ticker]
        assert (found.quote_id, found.price, found.data_time) == (quote.quote_id, quote.price, quote.data_time)
        assert found.prediction_time == quote.received_at
        assert found.interval.p10 < found.interval.p50 < found.interval.p90
        assert found.predicted_price == pytest.approx(found.price * math.exp(found.expected_return))
        assert found.confidence == max(found.p_up, 1 - found.p_up)
        assert Flag.REPLAY in found.flags
        assert Flag.PROVISIONAL_BAR not in found.flags
        assert Flag.MARKET_MISSING not in found.flags
        assert (Flag.EARNINGS_UNKNOWN in found.flags) is (found.ticker != "AAPL")
        assert found.model_type == "normal"
    body = await cache.body(keys.PREDICTION, ticker="IBM")
    assert msgspec.json.decode(body or b"", type=Prediction) == heard.latest()["IBM"]
    assert await cache.body(keys.QUOTE, ticker="IBM")


def _all_final(heard: Heard) -> bool:
    return all(Flag.PROVISIONAL_BAR not in prediction.flags for prediction in heard.latest().values())


async def test_the_features_are_those_of_the_finished_bars(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, heard: Heard
) -> None:
    """Two sessions quote by quote, from a state that ends before them, give what the stored bars give."""
    async with consumer("predict", database_settings, predict.main):
        for place in (-31, -30):
            await play(bus, waves(market, place))
        final = market.sessions[-30].closes_at
        await eventually(
            lambda: all(p.data_time == final for p in heard.latest().values()) and len(heard.latest()) == 3
        )
    for ticker in TICKERS:
        body = msgspec.json.decode(await cache.body(keys.FEATURES, ticker=ticker) or b"")
        wanted = expected_features(engine, market, -30, ticker)
        found = [body[name] for name in list(body)[: len(wanted)]]
        assert [math.nan if value is None else value for value in found] == pytest.approx(wanted, rel=1e-9, nan_ok=True)


async def test_a_report_nearby_routes_to_the_earnings_model(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    async with consumer("predict", database_settings, predict.main):
        await play(bus, waves(market, -3))
        await eventually(lambda: len(heard.latest()) == 3 and _all_final(heard))
    routed = {ticker: prediction.model_type for ticker, prediction in heard.latest().items()}
    assert routed == {"AAPL": "earnings", "IBM": "normal", "MSFT": "normal"}


async def test_a_report_that_becomes_known_counts_from_the_next_session(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, heard: Heard
) -> None:
    """The state is not built anew for it."""

    async def follow(place: int) -> str:
        await play(bus, waves(market, place))
        final = market.sessions[place].closes_at
        await eventually(lambda: [each.data_time for each in heard.latest().values()] == [final] * len(TICKERS))
        return str(heard.latest()["IBM"].model_type)

    async with consumer("predict", database_settings, predict.main):
        assert await follow(-30) == "normal"
        built = STATE_REBUILDS._value.get()
        announced = Report("IBM", market.sessions[-28].session_date, market.sessions[-30].opens_at, "made")
        with engine.begin() as connection:
            write_reports(connection, [announced])
        assert await follow(-29) == "earnings"
    assert STATE_REBUILDS._value.get() == built


async def test_after_a_crash_the_same_quotes_give_the_same_predictions(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    session = waves(market, -30)
    async with consumer("predict", database_settings, predict.main):
        for number, wave in enumerate(session[:3], 1):
            await bus.publish(QUOTE, *wave)
            await eventually(lambda number=number: len(heard.predictions) == 3 * number)  # type: ignore[misc]
    first = {p.payload.prediction_id: p.payload for p in heard.predictions}
    heard.predictions.clear()
    # As after a crash before the acknowledgements.
    await bus.jetstream.delete_consumer("MARKET_DATA", "predict-quotes")
    async with consumer("predict", database_settings, predict.main):
        await eventually(lambda: heard.predictions)
        await play(bus, session[3:])
        await eventually(lambda: len(heard.latest()) == 3 and _all_final(heard))
    for envelope in heard.predictions:
        before = first.get(envelope.payload.prediction_id)
        if before is not None:
            assert msgspec.structs.replace(envelope.payload, as_of=before.as_of) == before
    info = await bus.jetstream.stream_info("PREDICTIONS", subjects_filter=PREDICTION_UPDATED.name)
    stored = (info.state.subjects or {})[PREDICTION_UPDATED.name]
    assert stored == len(TICKERS) * 4, "what was published twice is on the bus once"


async def test_a_restart_in_the_middle_of_a_session_knows_the_markets_bar(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    session = waves(market, -30)
    async with consumer("predict", database_settings, predict.main):
        await play(bus, session[:1])
        await eventually(lambda: len(heard.predictions) == 3)
    heard.predictions.clear()
    async with consumer("predict", database_settings, predict.main):
        await bus.publish(QUOTE, *session[1][1:])
        await eventually(lambda: len(heard.predictions) == 3)
    assert all(Flag.MARKET_MISSING not in each.payload.flags for each in heard.predictions)


@pytest.mark.parametrize("known_before", [False, True], ids=["in one backlog", "recorded before"])
async def test_a_quote_never_sees_a_later_one_of_the_market(
    bus: Bus,
    cache: Cache,
    database_settings: Settings,
    engine: Engine,
    market: Market,
    heard: Heard,
    known_before: bool,
) -> None:
    """IBM fell silent after its second quote, the market and AAPL went on."""

    async def market_return(number: int, *, looking_on: bool) -> float:
        (index, *_), (_, _, ibm, _), (later_index, aapl, *_), _ = waves(market, -30, number)
        later = [later_index, aapl] if looking_on else []
        if known_before:
            record(engine, QUOTES, [index, *later])
            for envelope in later:
                body = {keys.BODY: msgspec.json.encode(envelope.payload)}
                await cache.write([Entry.of(keys.QUOTE, {"ticker": envelope.payload.ticker}, body)])
            later = []
        await play(bus, [[*([] if known_before else [index]), ibm, *later]])
        async with consumer("predict", database_settings, predict.main):
            await eventually(lambda: heard.latest().get("IBM") and heard.latest()["IBM"].feed == feed_name(number))
        found = msgspec.json.decode(await cache.body(keys.FEATURES, ticker="IBM") or b"")["market_return_1d"]
        return float(found)

    assert await market_return(1, looking_on=True) == await market_return(2, looking_on=False)


async def test_without_the_market_the_predictions_say_so(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    async with consumer("predict", database_settings, predict.main):
        await bus.publish(QUOTE, *waves(market, -30)[0][1:])
        await eventually(lambda: len(heard.predictions) == 3)
    assert all(Flag.MARKET_MISSING in each.payload.flags for each in heard.predictions)


async def test_a_new_pass_starts_from_the_bars_before_it(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    async with consumer("predict", database_settings, predict.main):
        await play(bus, waves(market, -30))
        await eventually(lambda: len(heard.latest()) == 3 and _all_final(heard))
        before = heard.latest()
        await play(bus, waves(market, -29))
        await play(bus, waves(market, -30, pass_number=2))
        await eventually(lambda: all(p.feed == "replay/2" for p in heard.latest().values()) and _all_final(heard))
    for ticker, prediction in heard.latest().items():
        assert prediction.expected_return == pytest.approx(before[ticker].expected_return, rel=1e-12)
        assert prediction.prediction_id != before[ticker].prediction_id


async def test_jobs_are_answered_with_the_model_they_name(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    job = PredictJob(job_id=uuid.uuid4(), ticker="IBM", requested_at=datetime.now(UTC))
    ghost = PredictJob(job_id=uuid.uuid4(), ticker="GHOST", requested_at=datetime.now(UTC))
    async with consumer("predict", database_settings, predict.main):
        await bus.publish(QUOTE, *waves(market, -30)[0])
        await eventually(lambda: len(heard.predictions) == 3)
        await bus.publish(PREDICT_EARNINGS, _job(job))
        await bus.publish(PREDICT_NORMAL, _job(ghost))
        await eventually(lambda: len(heard.predictions) == 4 and len(heard.failures) == 1)
    answer = heard.predictions[-1]
    assert answer.correlation_id == job.job_id
    assert (answer.payload.ticker, answer.payload.model_type) == ("IBM", "earnings")
    assert heard.failures[0].correlation_id == ghost.job_id
    assert heard.failures[0].payload.status == "no_quote"


def _job(job: PredictJob) -> Envelope[PredictJob]:
    return wrap(job, message_id=job.job_id, correlation_id=job.job_id, source="test", at=job.requested_at)


async def test_a_promotion_changes_the_model_between_waves(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, heard: Heard
) -> None:
    new = made_model("normal", seed=2)
    news = ModelPromoted(model_type="normal", model_version=new.version, artifact_sha256=new.sha256, reason="better")
    session = waves(market, -30)
    async with consumer("predict", database_settings, predict.main):
        await play(bus, session[:1])
        await eventually(lambda: len(heard.predictions) == 3)
        with engine.begin() as connection:
            promote(connection, new)
        identity = uuid.uuid4()
        at = datetime.now(UTC)
        await bus.publish(
            MODEL_PROMOTED, wrap(news, message_id=identity, correlation_id=identity, source="test", at=at)
        )
        await eventually(lambda: _active(cache, new.version))
        await play(bus, session[1:2])
        await eventually(lambda: len(heard.predictions) == 6)
    assert [each.payload.model_version for each in heard.predictions[3:]] == [new.version] * 3
    assert heard.failures == []


async def _active(cache: Cache, version: str) -> bool:
    body = await cache.body(keys.ACTIVE_MODEL, type="normal")
    return body is not None and msgspec.json.decode(body)["model_version"] == version


async def test_an_expired_model_is_flagged(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, heard: Heard
) -> None:
    with engine.begin() as connection:
        promote(connection, made_model("normal", valid_until=market.sessions[0].session_date))
    async with consumer("predict", database_settings, predict.main):
        await play(bus, waves(market, -30)[:1])
        await eventually(lambda: len(heard.predictions) == 3)
    assert all(Flag.MODEL_EXPIRED in each.payload.flags for each in heard.predictions)


async def test_without_a_model_it_says_so_and_begins_once_there_is_one(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_CHECK_SECONDS", 0.3)
    with engine.begin() as connection:
        market = fill(connection, models=False)
    session = waves(market, -30)
    async with consumer("predict", database_settings, predict.main) as running:
        await play(bus, session[:1])
        await eventually(lambda: len(heard.failures) == 3)
        assert {each.payload.status for each in heard.failures} == {"no_model"}
        assert "no champion yet" in str(running.health.report())
        with engine.begin() as connection:
            promote(connection, made_model("normal"))
            promote(connection, made_model("earnings"))
        await eventually(lambda: running.health.ready)
        await play(bus, session[1:2])
        await eventually(lambda: len(heard.predictions) == 3)


async def test_an_unknown_ticker_is_dead_lettered_and_the_others_are_predicted(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    wave = waves(market, -30)[0]
    identity = uuid.uuid4()
    ghost = msgspec.structs.replace(wave[1].payload, ticker="GHOST", quote_id=identity)
    stranger = msgspec.structs.replace(wave[1], payload=ghost, message_id=identity)
    async with consumer("predict", database_settings, predict.main):
        await bus.publish(QUOTE, *wave, stranger)
        await eventually(lambda: len(heard.predictions) == 3 and len(heard.dead) == 1)
    assert b"unknown_ticker" in heard.dead[0]


async def test_a_ticker_with_too_little_history_is_named_not_predicted(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    async with consumer("predict", database_settings, predict.main):
        await play(bus, waves(market, 10)[:1])
        await eventually(lambda: len(heard.failures) == 3)
    assert {each.payload.status for each in heard.failures} == {"cold_window"}
    heard.failures.clear()
    async with consumer("predict", database_settings, predict.main):
        await play(bus, waves(market, 100, pass_number=2)[:1])
        await eventually(lambda: len(heard.predictions) == 3)
    assert all(Flag.COLD_WINDOW in each.payload.flags for each in heard.predictions)


async def test_without_the_cache_predictions_still_go_out(
    bus: Bus, database_settings: Settings, market: Market, heard: Heard
) -> None:
    redis = database_settings.redis.model_copy(
        update={"url": database_settings.redis.url.__class__("redis://127.0.0.1:9/0"), "timeout_seconds": 0.3}
    )
    settings = database_settings.model_copy(update={"redis": redis})
    async with consumer("predict", settings, predict.main) as running:
        await play(bus, waves(market, -30)[:1])
        await eventually(lambda: len(heard.predictions) == 3)
        assert "cache does not answer" in str(running.health.report())


def test_the_small_models_can_predict() -> None:
    """Else the tests above would say nothing."""
    artifact = made_model("normal")
    features = np.full((1, len(artifact.features)), 0.02)
    assert np.isfinite(Predictor(artifact).predict(features, np.array([100.0])).predicted_price).all()


async def test_a_batch_over_two_sessions_closes_the_first_bar(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, heard: Heard
) -> None:
    """A backlog: both sessions are on the bus before predict starts."""
    await play(bus, waves(market, -31))
    await play(bus, waves(market, -30))
    async with consumer("predict", database_settings, predict.main):
        final = market.sessions[-30].closes_at
        await eventually(lambda: {p.data_time for p in heard.latest().values()} == {final})
        await asyncio.sleep(0)
    body = msgspec.json.decode(await cache.body(keys.FEATURES, ticker="IBM") or b"")
    wanted = expected_features(engine, market, -30, "IBM")
    assert [body[name] for name in list(body)[: len(wanted)]] == pytest.approx(wanted, rel=1e-9)
