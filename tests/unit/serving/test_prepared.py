"""Prepared answers are what an answer made anew would be, at every moment."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from riskee.errors import RetryableError
from riskee.messaging.messages import Flag, Prediction
from riskee.messaging.statuses import Status
from serving.api import prepared as module
from serving.api.answers import PredictionAnswer, prediction_answer
from serving.api.prepared import Prepared
from serving.api.reading import Reader
from serving.api.standing import Number, Reason, judged
from serving.api.tags import tag_of
from tests.unit.messaging import samples
from tests.unit.serving.standings import START, World

STALE_AFTER = 60.0


class Kept(Reader):
    """Reads from two dictionaries."""

    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(None, None, world, STALE_AFTER, world.standings, "some-model")  # type: ignore[arg-type]
        self.kept_bodies: dict[str, bytes] = {}
        self.rows: dict[str, Prediction] = {}

    async def bodies(self, tickers: Sequence[str]) -> dict[str, bytes]:
        return {ticker: self.kept_bodies[ticker] for ticker in tickers if ticker in self.kept_bodies}

    async def stored(self, tickers: Sequence[str], _seconds: float = 0) -> dict[str, Prediction]:
        return {ticker: self.rows[ticker] for ticker in tickers if ticker in self.rows}


@pytest.fixture
def world() -> World:
    world = World()
    world.beat()
    return world


@pytest.fixture
def reader(world: World) -> Kept:
    return Kept(world)


def made(ticker: str = "AAPL", *, seconds: float = 0.0, price: float = 100.0) -> Prediction:
    at = START + timedelta(seconds=seconds)
    return msgspec.structs.replace(samples.PREDICTION, ticker=ticker, prediction_time=at, price=price, flags=())


async def answered(prepared: Prepared, ticker: str = "AAPL") -> PredictionAnswer:
    answer = await prepared.one(ticker)
    assert answer is not None
    assert answer.tag == tag_of(answer.body)
    return msgspec.json.decode(answer.body, type=PredictionAnswer)


async def test_the_answer_is_the_one_made_anew_whatever_happens(world: World, reader: Kept) -> None:
    prepared = Prepared(reader)

    async def same(status: Status, prediction: Prediction) -> None:
        reader.kept_bodies["AAPL"] = msgspec.json.encode(prediction)
        answer = await answered(prepared)
        anew = prediction_answer(reader.judge(prediction, world.now()))
        assert answer == anew
        assert (await prepared.many(["AAPL"]))["AAPL"] == msgspec.json.encode(anew), "down to the byte"
        assert answer.status is status

    await same(Status.OK, made())
    await same(Status.OK, made(price=101.0))
    world.beat(halted=("AAPL",))
    await same(Status.HALTED, made(price=101.0))
    world.beat()
    await same(Status.STALE, made(price=101.0))
    world.seconds = 2.0
    world.standings.predicted(made(seconds=2.0))
    await same(Status.OK, made(seconds=2.0))
    world.seconds = 100.0
    await same(Status.PREDICT_SILENT, made(seconds=2.0))
    world.beat()
    await same(Status.STALE, made(seconds=2.0))
    await same(Status.OK, made(seconds=99.0))
    provisional = msgspec.structs.replace(made(seconds=99.0), flags=(Flag.REPLAY, Flag.PROVISIONAL_BAR))
    await same(Status.OK, provisional)
    await same(Status.MODEL_EXPIRED, msgspec.structs.replace(provisional, flags=(Flag.MODEL_EXPIRED,)))


async def test_it_is_made_again_only_where_it_changes(
    world: World, reader: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_again: list[str] = []

    def counted(prediction: Prediction, reasons: Sequence[Reason]) -> Number:
        number = judged(prediction, reasons)
        made_again.append(number.status.value)
        return number

    monkeypatch.setattr(module, "judged", counted)
    reader.kept_bodies = {"AAPL": msgspec.json.encode(made()), "IBM": msgspec.json.encode(made("IBM"))}
    prepared = Prepared(reader)
    for _ in range(3):
        await prepared.one("AAPL")
        await prepared.many(["AAPL", "IBM"])
    assert made_again == ["ok", "ok"]
    world.seconds = 100.0
    world.beat()
    for _ in range(3):
        await prepared.one("AAPL")
    assert made_again == ["ok", "ok", "stale"]


async def test_what_the_cache_has_not_is_read_from_the_database_and_flagged(reader: Kept) -> None:
    reader.kept_bodies["AAPL"] = b'{"written_by":"another version"}'
    reader.rows = {"AAPL": made(), "IBM": made("IBM")}
    prepared = Prepared(reader)
    assert Flag.STALE in (await answered(prepared)).flags
    many = await prepared.many(["AAPL", "IBM", "MSFT"])
    assert {
        ticker: Flag.STALE in msgspec.json.decode(body, type=PredictionAnswer).flags for ticker, body in many.items()
    } == {
        "AAPL": True,
        "IBM": True,
    }
    assert await prepared.one("MSFT") is None


async def test_where_neither_answers_it_says_so(reader: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_tickers: Sequence[str], _seconds: float = 0) -> dict[str, Prediction]:
        raise RetryableError("the database does not answer", "wait")

    monkeypatch.setattr(reader, "stored", away)
    prepared = Prepared(reader)
    for asked in (prepared.one("AAPL"), prepared.many(["AAPL"])):
        with pytest.raises(RetryableError, match="the database"):
            await asked
