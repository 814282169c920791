"""Predictions of the running product, made again from what is stored: the same bytes, whatever came between."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from sqlalchemy import Engine, insert, select, text, update
from typer.testing import CliRunner

from riskee.cli import reproduce as command
from riskee.cli.app import app
from riskee.errors import NotFoundError, PoisonError
from riskee.features.definitions import NORMAL_FEATURES
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import MarketState, PredictJob, Quote
from riskee.messaging.standing import FeedStatus
from riskee.messaging.statuses import Status
from riskee.messaging.subjects import PREDICT_EARNINGS, PREDICTION_STATUS
from riskee.settings import Settings
from riskee.storage import keys
from riskee.storage.bus import Bus, codec_of
from riskee.storage.cache import Cache
from riskee.storage.tables import market_data, predictions
from serving.consumers import predict, record
from serving.reproduction import Reproduction, reproduce
from tests.integration.conftest import consumer, eventually
from tests.integration.live_data import MARKET, Market, fill, made_model
from tests.integration.tampering import spoil
from tests.integration.test_predict_service import play, waves
from tests.integration.test_silence import announce

pytestmark = pytest.mark.integration


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection)


def stored(engine: Engine) -> list[uuid.UUID]:
    """The predictions in the order in which they were asked for."""
    with engine.connect() as connection:
        return list(connection.scalars(select(predictions.c.prediction_id).order_by(predictions.c.prediction_time)))


def again(engine: Engine, settings: Settings) -> list[Reproduction]:
    with engine.connect() as connection:
        return [reproduce(connection, settings, identity) for identity in stored(engine)]


def assert_equal(found: list[Reproduction]) -> None:
    wrong = [(one.lineage, [field for field in one.fields if not field.equal]) for one in found if not one.equal]
    assert wrong == []


async def play_all(bus: Bus, engine: Engine, *told: Sequence[Envelope[Quote]]) -> None:
    """Wave by wave: predict would predict a backlog from the latest quotes only."""
    for wave in told:
        count = len(stored(engine)) + len(wave) - 1
        await play(bus, [wave])
        await eventually(lambda count=count: len(stored(engine)) == count)  # type: ignore[misc]


def correct(engine: Engine, market: Market, ticker: str, place: int) -> None:
    """A session's bar comes again, one percent higher and with twice the volume."""
    midnight = datetime.combine(market.sessions[place].session_date, datetime.min.time(), UTC)
    with engine.begin() as connection:
        latest = select(market_data).where(market_data.c.ticker == ticker, market_data.c.timestamp == midnight)
        row = dict(connection.execute(latest.order_by(market_data.c.version.desc()).limit(1)).mappings().one())
        for name in ("open", "high", "low", "close"):
            row[name] *= 1.01
        row |= {"version": row["version"] + 1, "volume": 2 * row["volume"]}
        row["recorded_at"] = row["known_at"] = connection.scalar(text("SELECT clock_timestamp()"))
        connection.execute(insert(market_data).values(**row))


async def test_every_prediction_can_be_made_again(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market
) -> None:
    """Sessions on end, a restart within one, corrections of bars behind and ahead, both types of model."""
    async with consumer("record", database_settings, record.main):
        async with consumer("predict", database_settings, predict.main):
            for place in (-9, -8, -7):
                await play_all(bus, engine, *waves(market, place))
            before = again(engine, database_settings)
            correct(engine, market, "IBM", -10)
            correct(engine, market, MARKET, -12)
            await play_all(bus, engine, *waves(market, -6))
            interrupted = waves(market, -5)
            await play_all(bus, engine, *interrupted[:2])
        # As after a crash.
        async with consumer("predict", database_settings, predict.main):
            await play_all(bus, engine, *interrupted[2:])
            correct(engine, market, "AAPL", -5)
            for place in (-4, -3):
                await play_all(bus, engine, *waves(market, place))
            job = PredictJob(job_id=uuid.uuid4(), ticker="MSFT", requested_at=datetime.now(UTC))
            count = len(stored(engine))
            await bus.publish(
                PREDICT_EARNINGS,
                wrap(job, message_id=job.job_id, correlation_id=job.job_id, source="test", at=job.requested_at),
            )
            await eventually(lambda: len(stored(engine)) == count + 1)
    found = again(engine, database_settings)
    assert_equal(found)
    assert found[: len(before)] == before, "a correction changes no earlier reproduction"
    with engine.connect() as connection:
        kinds = set(connection.scalars(select(predictions.c.model_type)))
        states = connection.scalar(select(text("count(DISTINCT bars_as_of)")).select_from(predictions))
    assert kinds == {"normal", "earnings"}
    assert states == 3, "the state was built anew once bars had changed"


async def test_what_was_announced_of_a_ticker_and_its_session_counts_again(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market
) -> None:
    session = market.sessions[-9]
    told = waves(market, -9)
    async with (
        consumer("record", database_settings, record.main),
        consumer("predict", database_settings, predict.main),
    ):
        await play_all(bus, engine, told[0])
        await announce(bus, MarketState.HALTED, session.opens_at, "IBM")
        await announce(bus, MarketState.CLOSED, told[1][0].payload.data_time)
        await eventually(lambda: stands(bus, Status.SESSION_CLOSED))
        await play_all(bus, engine, told[1])
    found = again(engine, database_settings)
    assert_equal(found)
    flags = [str(field.made) for one in found for field in one.fields if field.name == "flags"]
    assert ["halted" in each for each in flags].count(True) == 1
    assert ["session_closed" in each for each in flags].count(True) == 3


async def stands(bus: Bus, status: Status) -> bool:
    """Whether predict has said last that the feed stands so."""
    message = await bus.jetstream.get_last_msg("PREDICTIONS", PREDICTION_STATUS.name)
    standing: FeedStatus = codec_of(PREDICTION_STATUS).decode(message.data or b"").payload
    return standing.status is status


async def test_the_features_of_a_prediction_can_be_had_again(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, one: uuid.UUID
) -> None:
    """The cache forgets them, and no row keeps them."""
    cached = msgspec.json.decode(await cache.body(keys.FEATURES, ticker="IBM") or b"", type=dict[str, float | None])
    (found,) = again(engine, database_settings)
    assert found.features == cached
    assert None not in [cached[name] for name in NORMAL_FEATURES]


@pytest.fixture
async def one(bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market) -> uuid.UUID:
    """A prediction of IBM."""
    async with (
        consumer("record", database_settings, record.main),
        consumer("predict", database_settings, predict.main),
    ):
        index, _, ibm, _ = waves(market, -30)[0]
        await play_all(bus, engine, [index, ibm])
    return stored(engine)[0]


def run(settings: Settings, identity: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, object], str]:
    """Exit code, JSON and text of the command."""
    monkeypatch.setattr(command, "read_settings", lambda: settings)
    as_json, as_text = (CliRunner().invoke(app, ["reproduce", str(identity), *more]) for more in (["--json"], []))
    assert as_json.exit_code == as_text.exit_code
    return as_json.exit_code, json.loads(as_json.stdout), as_text.stdout


async def test_the_command_shows_fields_and_lineage_and_fails_on_a_difference(
    one: uuid.UUID, database_settings: Settings, engine: Engine, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, shown, told = run(database_settings, one, monkeypatch)
    assert (code, shown["equal"]) == (0, True)
    assert "every number has the same bytes" in told
    assert made_model("normal").sha256 in told
    with engine.begin() as connection:
        connection.execute(update(predictions).values(expected_return=text("expected_return * (1 + 3e-16)")))
    code, shown, told = run(database_settings, one, monkeypatch)
    assert code == 1
    fields = shown["fields"]
    assert isinstance(fields, list)
    assert "expected_return" in [field["name"] for field in fields if not field["equal"]]
    assert "not the same" in told


async def test_a_prediction_of_unknown_bars_says_so(
    one: uuid.UUID, database_settings: Settings, engine: Engine, market: Market
) -> None:
    """Of an older version; its bars were corrected before it was made, and it did not know."""
    with engine.begin() as connection:
        made = connection.scalar(select(predictions.c.as_of))
        connection.execute(update(predictions).values(bars_as_of=None))
    correct(engine, market, "IBM", -31)
    with engine.begin() as connection:
        connection.execute(update(market_data).where(market_data.c.version == 2).values(recorded_at=made))
        found = reproduce(connection, database_settings, one)
    assert not found.equal
    assert "before predictions said which bars" in found.reasons[0]


async def test_what_is_missing_or_altered_is_named(one: uuid.UUID, database_settings: Settings, engine: Engine) -> None:
    with engine.begin() as connection:
        with pytest.raises(NotFoundError, match="there is no prediction") as caught:
            reproduce(connection, database_settings, uuid.uuid4())
        assert "kept for RISKEE_DATABASE__PREDICTIONS_RETENTION_DAYS, 90 days unless set" in caught.value.remedy
        spoil(connection, made_model("normal"), "a flipped bit")
        with pytest.raises(PoisonError, match="digest"):
            reproduce(connection, database_settings, one)
        connection.execute(text("DELETE FROM quotes"))
        with pytest.raises(NotFoundError, match="there is no quote"):
            reproduce(connection, database_settings, one)
