"""Several predict processes share the tickers: each quote is predicted once, whoever dies, comes or goes."""

import asyncio
import signal
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg
from sqlalchemy import Engine, func, select

from riskee.clock import SystemClock
from riskee.market.quotes import QuoteGate
from riskee.market.replay import expand, feed_name
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import Flag, Prediction, PredictJob, Quote
from riskee.messaging.slots import quote_subject
from riskee.messaging.subjects import PREDICT_NORMAL, PREDICTION_FAILED, PREDICTION_UPDATED, QUOTE
from riskee.settings import Settings
from riskee.storage.bus import Bus, Outgoing, codec_of
from riskee.storage.cache import Cache
from riskee.storage.tables import predictions
from riskee.telemetry import PREDICTIONS
from serving.consumers import predict, record
from serving.consumers.members import Members
from tests.integration.conftest import consumer, eventually, make_streams
from tests.integration.live_data import MARKET, Market, fill
from tests.integration.predictors import Predictor, predictors, shared

pytestmark = [pytest.mark.integration, pytest.mark.slow]
TICKERS = tuple(f"T{number:02}" for number in range(40))


class Heard:
    """What was predicted, in the order of the stream; a copy that the bus drops is not heard twice."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.predictions: list[Prediction] = []
        self.correlations: list[uuid.UUID] = []
        self.failures: list[bytes] = []

    async def _hear(self, message: Msg) -> None:
        envelope = codec_of(PREDICTION_UPDATED).decode(message.data)
        self.predictions.append(envelope.payload)
        self.correlations.append(envelope.correlation_id)

    async def attach(self) -> None:
        await self._bus.jetstream.subscribe(PREDICTION_UPDATED.name, cb=self._hear, ordered_consumer=True)
        await self._bus.listen(PREDICTION_FAILED.name, self._hear_failure)

    async def _hear_failure(self, message: Msg) -> None:
        self.failures.append(message.data)

    @property
    def quotes(self) -> list[uuid.UUID]:
        return [prediction.quote_id for prediction in self.predictions]

    async def all_of(self, quotes: Sequence[Envelope[Quote]], seconds: float = 60) -> None:
        """Wait until each of these quotes has a prediction, the market's aside."""
        wanted = ids(quotes)
        await eventually(lambda: wanted <= set(self.quotes), seconds)


def ids(quotes: Sequence[Envelope[Quote]]) -> set[uuid.UUID]:
    return {envelope.payload.quote_id for envelope in quotes if envelope.payload.ticker != MARKET}


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection, tickers=TICKERS)


@pytest.fixture
async def heard(bus: Bus) -> Heard:
    heard = Heard(bus)
    await heard.attach()
    return heard


def session(market: Market, place: int) -> list[list[Envelope[Quote]]]:
    """The four waves of a session, the market's quote first."""
    played, names = market.sessions[place], (MARKET, *TICKERS)
    told = [expand(market.bar(name, played.session_date), played, feed_name(1)) for name in names]
    gate = QuoteGate(set(names), played.closes_at - played.opens_at)
    clock = SystemClock()
    admitted = [[gate.admit(ticks[wave], clock.now()) for ticks in told] for wave in range(4)]
    return [
        [wrap(q, message_id=q.quote_id, correlation_id=q.quote_id, source="test", at=q.received_at) for q in wave]
        for wave in admitted
    ]


async def publish(bus: Bus, wave: Sequence[Envelope[Quote]], partitions: int) -> None:
    await bus.publish_encoded(
        [
            Outgoing(
                quote_subject(envelope.payload.ticker, partitions, MARKET),
                str(envelope.message_id),
                codec_of(QUOTE).encode(envelope),
            )
            for envelope in wave
        ]
    )


@pytest.mark.parametrize("count", [2, 4])
async def test_the_work_is_shared_and_each_quote_is_predicted_once(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard, tmp_path: Path, count: int
) -> None:
    waves = [*session(market, -31), *session(market, -30)]
    async with predictors(database_settings, tmp_path, count, 4) as running:
        for wave in waves:
            await publish(bus, wave, 4)
            await heard.all_of(wave)
        done = [await predictor.predictions() for predictor in running]
        assert [predictor.stop() for predictor in running] == [0] * count
    assert len(heard.quotes) == len(set(heard.quotes)) == len(TICKERS) * len(waves)
    assert sum(done) == len(heard.quotes), "nobody predicted what another did"
    assert min(done) > 0
    assert not any(Flag.MARKET_MISSING in prediction.flags for prediction in heard.predictions)


async def test_one_and_four_predictors_give_the_same(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, tmp_path: Path
) -> None:
    """The state of a partition is built of its tickers alone; the numbers are the same to the last bit."""
    waves = [*session(market, -31), *session(market, -30)]
    found: list[dict[uuid.UUID, Prediction]] = []
    for number in (1, 4):
        # New streams forget which ids they saw.
        for stream in ("MARKET_DATA", "PREDICTIONS"):
            await bus.jetstream.delete_stream(stream)
        await make_streams(bus)
        heard = Heard(bus)
        await heard.attach()
        async with predictors(database_settings, tmp_path, number, number):
            for wave in waves:
                await publish(bus, wave, number)
                await heard.all_of(wave)
        at = waves[0][0].timestamp
        found.append({p.prediction_id: msgspec.structs.replace(p, as_of=at) for p in heard.predictions})
    assert found[0] == found[1]


async def test_what_a_dead_one_held_moves_and_nothing_is_lost_or_doubled(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard, tmp_path: Path
) -> None:
    """One is killed, one is asked to stop, one comes: at each moment a wave is under way."""
    waves = [*session(market, -31), *session(market, -30)]
    async with predictors(database_settings, tmp_path, 4, 8) as running:

        async def wave(number: int) -> None:
            await publish(bus, waves[number], 8)

        await wave(0)
        await heard.all_of(waves[0])
        await wave(1)
        running.pop(0).kill()
        await heard.all_of(waves[1])
        await eventually(lambda: shared(running, 8))
        await wave(2)
        leaving = running.pop(0)
        leaving.signal(signal.SIGTERM)
        await heard.all_of(waves[2])
        assert leaving.stop() == 0
        await eventually(lambda: shared(running, 8))
        running.append(Predictor(database_settings, 8, tmp_path / "predict-late.log"))
        await wave(3)
        await heard.all_of(waves[3])
        await eventually(lambda: shared(running, 8))
        for number in range(4, 8):
            await wave(number)
            await heard.all_of(waves[number])
        assert all([await predictor.predictions() for predictor in running])
    assert len(heard.quotes) == len(set(heard.quotes)) == len(TICKERS) * len(waves)


async def test_a_paused_one_that_wakes_doubles_nothing(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard, tmp_path: Path
) -> None:
    """Another has taken its partitions meanwhile; for a moment both work on them."""
    waves = session(market, -30)
    async with predictors(database_settings, tmp_path, 2, 2) as running:
        await publish(bus, waves[0], 2)
        await heard.all_of(waves[0])
        running[0].signal(signal.SIGSTOP)
        await publish(bus, waves[1], 2)
        await heard.all_of(waves[1])
        await publish(bus, waves[2], 2)
        running[0].signal(signal.SIGCONT)
        await heard.all_of(waves[2])
        await eventually(lambda: shared(running, 2))
        await publish(bus, waves[3], 2)
        await heard.all_of(waves[3])
    assert len(heard.quotes) == len(set(heard.quotes)) == len(TICKERS) * len(waves)


async def test_another_number_of_partitions_loses_no_backlog(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard, tmp_path: Path
) -> None:
    """2, then 3, then 1: each time quotes wait that were published for the number before."""
    waves = session(market, -30)
    for number, (partitions, published_for) in enumerate([(2, 1), (3, 2), (1, 3)]):
        await publish(bus, waves[number], published_for)
        async with predictors(database_settings, tmp_path, partitions, partitions):
            await heard.all_of(waves[number])
    assert len(heard.quotes) == len(set(heard.quotes)) == 3 * len(TICKERS)


async def test_two_owners_at_once_store_each_row_once(
    bus: Bus,
    cache: Cache,
    database_settings: Settings,
    engine: Engine,
    market: Market,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who owns what saves work only: two that do not hear each other do everything twice."""
    monkeypatch.setattr(Members, "others", lambda _self: {})
    waves = session(market, -30)
    async with (
        consumer("record", database_settings, record.main),
        consumer("predict", database_settings, predict.main) as one,
        consumer("predict", database_settings, predict.main) as two,
    ):
        await eventually(lambda: all("undivided" in str(each.health.report()) for each in (one, two)))
        before = PREDICTIONS.labels("normal")._value.get()
        for wave in waves:
            await publish(bus, wave, 1)
            await heard.all_of(wave)
        # The slower of them may find two waves waiting, and then predicts the newer one.
        await eventually(lambda: PREDICTIONS.labels("normal")._value.get() - before > len(heard.quotes))
        await eventually(lambda: _rows(engine) == len(heard.quotes))
    assert len(heard.quotes) == len(set(heard.quotes)) == len(TICKERS) * len(waves)


def _rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(predictions)).scalar_one())


async def test_a_job_is_answered_by_the_owner_of_its_ticker_alone(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard, tmp_path: Path
) -> None:
    (wave, *_) = session(market, -30)
    jobs = [PredictJob(job_id=uuid.uuid4(), ticker=ticker, requested_at=datetime.now(UTC)) for ticker in TICKERS]
    async with predictors(database_settings, tmp_path, 2, 4):
        await publish(bus, wave, 4)
        await heard.all_of(wave)
        await bus.publish(
            PREDICT_NORMAL,
            *(wrap(j, message_id=j.job_id, correlation_id=j.job_id, source="test", at=j.requested_at) for j in jobs),
        )
        await eventually(lambda: len(heard.quotes) >= 2 * len(TICKERS))
        await asyncio.sleep(0.5)
    assert len(heard.quotes) == 2 * len(TICKERS)
    assert {*heard.correlations[len(TICKERS) :]} == {job.job_id for job in jobs}
    assert heard.failures == []
