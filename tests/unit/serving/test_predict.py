"""The handlers of predict without servers: what a failure, a late quote and another feed leave behind."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import Counter

from riskee.clock import Clock, FixedClock
from riskee.errors import RetryableError
from riskee.features.earnings import EarningsFeatures
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import MODEL_TYPES, Flag, Prediction, PredictJob, Quote
from riskee.model.predictor import Predictor
from riskee.tracing import OFF, Tracer
from riskee.tracing.sending import SendingTracer
from serving.consumers.calendar import Calendar
from serving.consumers.forecasting import Failure, Forecast, Forecaster
from serving.consumers.portion import Portion
from serving.consumers.predict import Predict
from tests.integration.live_data import MARKET, TICKERS, made_model
from tests.unit.features.reference import made_reports
from tests.unit.serving import test_forecasting
from tests.unit.serving.test_forecasting import NOW, SESSIONS
from tests.unit.tracing.ticks import Kept

AWAY = RetryableError("away", "it is tried again")
STILL = FixedClock(NOW)
PREDICTORS = {kind: Predictor(made_model(kind)) for kind in MODEL_TYPES}


def quote(ticker: str, place: int = 310, moment: int = 0, feed: str = "live") -> Quote:
    """The quote of a ticker at a moment (minutes) of a session; its bar grows."""
    whole = test_forecasting.quote(ticker, place)
    at = SESSIONS[place].opens_at + timedelta(minutes=moment)
    price = whole.open + (whole.price - whole.open) * (moment + 1) / 10
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{feed} {ticker} {place} {moment}")
    return msgspec.structs.replace(
        whole, feed=feed, price=price, data_time=at, received_at=at, sequence=moment, quote_id=identity
    )


def enveloped(*quotes: Quote) -> list[Envelope[Quote]]:
    return [
        wrap(each, message_id=each.quote_id, correlation_id=each.quote_id, source="test", at=each.received_at)
        for each in quotes
    ]


@dataclass
class FakeKnowledge:
    """Reads no database. `away` says how often the session's quotes cannot be read."""

    away: int = 0
    rebuilt: list[tuple[date, str]] = field(default_factory=list)
    stored: list[Quote] = field(default_factory=list)
    # What predict was given and record has not stored.
    unrecorded: list[Quote] = field(default_factory=list)
    # What the database has of it that the state has not.
    calendar: Calendar | None = None
    calendar_away: bool = False

    def forecaster(
        self, before: date, feed: str, _owns: Callable[[str], bool], _unrecorded: Collection[Quote] = ()
    ) -> Forecaster:
        self.rebuilt.append((before, feed))
        place = next(place for place, session in enumerate(SESSIONS) if session.session_date == before)
        return test_forecasting.forecaster(place)

    def newest_recording(self) -> None:
        return None

    def newer_calendar(self, _forecaster: Forecaster) -> Calendar | None:
        if self.calendar_away:
            raise AWAY
        return self.calendar

    def latest_quotes(self, tickers: Collection[str]) -> list[Quote]:
        return [each for each in self.stored if each.ticker in tickers]

    def session_quotes(self, _feed: str, _day: date, _tickers: Collection[str], until: datetime) -> list[Quote]:
        if self.away:
            self.away -= 1
            raise AWAY
        return [each for each in self.stored if each.received_at <= until]

    async def read_unrecorded(self, take: Callable[[Quote], None], _answered: bool) -> None:
        for each in self.unrecorded:
            take(each)


@dataclass
class FakePublisher:
    """Keeps what is published, as readers that know ids see it. Fails at the publications numbered in `fails`."""

    fails: Collection[int] = ()
    published: dict[uuid.UUID, Prediction] = field(default_factory=dict)
    answers: list[tuple[PredictJob, Forecast | Failure | str]] = field(default_factory=list)
    # What the cache has.
    cached: Collection[Quote] = ()
    tried: int = 0
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    readable: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.readable.set()

    async def publish(self, results: Sequence[Forecast | Failure], _quotes: Sequence[Quote]) -> None:
        self.tried += 1
        await asyncio.sleep(0)
        if self.tried in self.fails:
            raise AWAY
        for result in results:
            assert isinstance(result, Forecast)
            self.published.setdefault(result.prediction.prediction_id, result.prediction)

    async def answer(self, answers: Sequence[tuple[PredictJob, Forecast | Failure | str]]) -> None:
        self.answers += answers

    async def cached_quotes(self, tickers: Sequence[str]) -> list[Quote]:
        self.reading.set()
        await self.readable.wait()
        return [each for each in self.cached if each.ticker in tickers]


def made_predict(
    knowledge: FakeKnowledge,
    publisher: FakePublisher,
    tracer: Tracer = OFF,
    owns: Callable[[str], bool] = lambda _ticker: True,
    clock: Clock = STILL,
) -> Predict:
    settings = SimpleNamespace(
        model=SimpleNamespace(market_ticker=MARKET), feed=SimpleNamespace(stale_after_seconds=60.0)
    )
    service = SimpleNamespace(settings=settings, clock=clock, tracer=tracer)
    models = SimpleNamespace(predictors=PREDICTORS)
    portion = Portion(owns, knowledge.read_unrecorded)
    return Predict(cast(Any, service), cast(Any, knowledge), cast(Any, publisher), cast(Any, models), portion=portion)


async def until_handled(predict: Predict, batch: Sequence[Envelope[Quote]]) -> int:
    """Give a batch again for as long as it fails, as the loop does. Answers how often it failed."""
    for failures in range(10):
        try:
            await predict.on_quotes(batch)
        except RetryableError:
            continue
        return failures
    raise AssertionError("it never ends")


# Three waves: AAPL and MSFT fell silent before the market went on.
BACKLOG = enveloped(
    quote(MARKET),
    quote("AAPL"),
    quote(MARKET, moment=2),
    quote("MSFT", moment=3),
    quote(MARKET, moment=5),
    quote("IBM", moment=6),
)


@pytest.mark.parametrize("fails", [(1,), (2,), (3,), (1, 2, 4)])
async def test_what_is_published_after_a_failure_is_what_is_published_without_one(fails: tuple[int, ...]) -> None:
    """Of a wave that is computed again the market would be a later one: it would look ahead."""
    smooth, rough = FakePublisher(), FakePublisher(fails)
    assert await until_handled(made_predict(FakeKnowledge(), smooth), BACKLOG) == 0
    assert await until_handled(made_predict(FakeKnowledge(), rough), BACKLOG) == len(fails)
    assert len(smooth.published) == len(TICKERS)
    assert rough.published == smooth.published
    assert rough.tried == smooth.tried + len(fails), "only what failed is published again"


async def test_a_batch_that_was_finished_is_predicted_again() -> None:
    """It was delivered twice: what the first time came to nothing, on whatever side, must not be missing."""
    publisher = FakePublisher()
    predict = made_predict(FakeKnowledge(), publisher)
    await predict.on_quotes(BACKLOG)
    first = publisher.tried
    await predict.on_quotes(BACKLOG)
    assert publisher.tried > first


async def test_only_quotes_that_could_have_been_predicted_count_as_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    coalesced = Counter("coalesced", "overtaken quotes", registry=None)
    monkeypatch.setattr("serving.consumers.predict.QUOTES_COALESCED", coalesced)
    publisher = FakePublisher(fails=(1,))
    market = [quote(MARKET, moment=moment) for moment in range(5)]
    batch = enveloped(*market, quote("AAPL", moment=1), quote("AAPL", moment=2), quote("IBM", moment=2))
    assert await until_handled(made_predict(FakeKnowledge(), publisher), batch) == 1
    (metric,) = coalesced.collect()
    assert metric.samples[0].value == 1, "AAPL's first; the market's are never predicted; a second try counts nothing"


@pytest.mark.parametrize("owns_the_market", [True, False])
async def test_of_the_markets_quote_which_all_predictors_hear_one_tells_the_trace(owns_the_market: bool) -> None:
    kept = Kept()
    tracer = SendingTracer(kept, FixedClock(NOW), 1.0)
    owned = {"AAPL", MARKET} if owns_the_market else {"AAPL"}
    predict = made_predict(FakeKnowledge(), FakePublisher(), tracer, owned.__contains__)
    batch = enveloped(quote(MARKET), quote("AAPL"))
    await predict.on_quotes(batch)
    assert {span.attributes["riskee.ticker"] for span in kept.spans} == owned
    assert {span.name for span in kept.spans} == {"predict.wave"}


async def test_a_defect_leaves_nothing_to_be_done_with_another_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = FakePublisher()
    predict = made_predict(FakeKnowledge(), publisher)
    with monkeypatch.context() as patched:
        patched.setattr(Forecaster, "forecast", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await predict.on_quotes(BACKLOG)
    await predict.on_quotes(enveloped(quote("IBM", moment=7)))
    assert [each.ticker for each in publisher.published.values()] == ["IBM"]


async def test_a_late_quote_of_an_earlier_session_leaves_the_state_where_it_is() -> None:
    knowledge, publisher = FakeKnowledge(), FakePublisher()
    predict = made_predict(knowledge, publisher)
    await predict.on_quotes(enveloped(quote(MARKET), quote("AAPL")))
    today = [quote(MARKET, 311), quote("AAPL", 311)]
    late = quote("IBM", 310, 9)
    await predict.on_quotes(enveloped(*today, late))
    await predict.on_quotes(enveloped(late))
    await predict.on_quotes(enveloped(quote("IBM", 311, 1)))
    assert len(knowledge.rebuilt) == 1
    assert late.quote_id not in {each.quote_id for each in publisher.published.values()}
    assert [each.session_date for each in publisher.published.values() if each.ticker == "IBM"] == [
        SESSIONS[311].session_date
    ]


def of_ibm(publisher: FakePublisher) -> Prediction:
    return [each for each in publisher.published.values() if each.ticker == "IBM"][-1]


async def test_a_session_begins_with_the_calendar_of_its_moment() -> None:
    """And goes on with it: what becomes known within a session counts from the next one."""
    knowledge, publisher = FakeKnowledge(), FakePublisher()
    predict = made_predict(knowledge, publisher)
    await predict.on_quotes(enveloped(quote(MARKET), quote("IBM")))
    forecaster = predict._state.forecaster
    assert forecaster is not None
    days, names = forecaster.sessions, frozenset(forecaster.state.tickers)
    earnings = EarningsFeatures({"IBM": made_reports(days[[312]])}, days, forecaster.state)
    knowledge.calendar = Calendar(days, earnings, names - {"IBM"}, "changed")
    await predict.on_quotes(enveloped(quote("IBM", moment=1)))
    assert (of_ibm(publisher).model_type, Flag.EARNINGS_UNKNOWN in of_ibm(publisher).flags) == ("normal", True)
    await predict.on_quotes(enveloped(quote(MARKET, 311), quote("IBM", 311)))
    assert (of_ibm(publisher).model_type, Flag.EARNINGS_UNKNOWN in of_ibm(publisher).flags) == ("earnings", False)
    assert forecaster.calendar_mark == "changed"
    assert len(knowledge.rebuilt) == 1


async def test_a_session_begins_though_the_calendar_cannot_be_read() -> None:
    knowledge, publisher = FakeKnowledge(calendar_away=True), FakePublisher()
    predict = made_predict(knowledge, publisher)
    for place in (310, 311):
        await predict.on_quotes(enveloped(quote(MARKET, place), quote("IBM", place)))
    assert of_ibm(publisher).session_date == SESSIONS[311].session_date


async def test_another_feed_may_begin_in_an_earlier_session() -> None:
    knowledge, publisher = FakeKnowledge(), FakePublisher()
    predict = made_predict(knowledge, publisher)
    await predict.on_quotes(enveloped(quote("AAPL", 312)))
    again = msgspec.structs.replace(quote("AAPL", 310, feed="replay/2"), received_at=quote("AAPL", 313).received_at)
    await predict.on_quotes(enveloped(again))
    assert knowledge.rebuilt == [(SESSIONS[312].session_date, "live"), (SESSIONS[310].session_date, "replay/2")]
    assert again.quote_id in {each.quote_id for each in publisher.published.values()}


async def test_a_state_half_read_is_no_state() -> None:
    """The bars of another feed's beginning were read, its quotes could not be: that it is tried again, not believed."""
    first = [quote(MARKET), quote("AAPL")]
    other = [
        msgspec.structs.replace(quote(name, 310, 5, "replay/2"), received_at=quote(name, 311).received_at)
        for name in (MARKET, *TICKERS)
    ]
    outcomes = []
    for away in (0, 1):
        knowledge, publisher = FakeKnowledge(), FakePublisher()
        predict = made_predict(knowledge, publisher)
        await predict.on_quotes(enveloped(*first))
        # The state of the first feed has gone on by a session.
        await predict.on_quotes(enveloped(quote(MARKET, 311)))
        knowledge.away = away
        assert await until_handled(predict, enveloped(*other)) == away
        assert len(knowledge.rebuilt) == 2 + away
        outcomes.append(publisher.published)
    assert outcomes[0] == outcomes[1]


def job(ticker: str) -> Envelope[PredictJob]:
    asked = PredictJob(job_id=uuid.uuid4(), ticker=ticker, requested_at=NOW)
    return wrap(asked, message_id=asked.job_id, correlation_id=asked.job_id, source="test", at=NOW)


async def test_jobs_are_answered_together_each_with_its_own_result() -> None:
    publisher, stored = FakePublisher(), quote("MSFT", moment=1)
    predict = made_predict(FakeKnowledge(stored=[stored]), publisher)
    await predict.on_quotes(enveloped(quote(MARKET), quote("AAPL")))
    jobs = [job("AAPL"), job("GHOST"), job(MARKET), job("MSFT")]
    await predict.on_jobs(jobs, "normal")
    assert [each for each, _ in publisher.answers] == [each.payload for each in jobs]
    found, ghost, market, read = (result for _, result in publisher.answers)
    assert isinstance(found, Forecast)
    assert found.prediction.ticker == "AAPL"
    assert ghost == "no quote of GHOST has come yet"
    assert isinstance(market, Failure)
    assert isinstance(read, Forecast)
    assert read.quote == stored


async def test_what_a_job_makes_is_a_prediction_of_its_own() -> None:
    """Where the market moved, the row of the tick's prediction would stand for another number."""
    publisher = FakePublisher()
    predict = made_predict(FakeKnowledge(), publisher)
    await predict.on_quotes(enveloped(quote(MARKET), quote("AAPL", moment=1)))
    await predict.on_quotes(enveloped(quote(MARKET, moment=2)))
    await predict.on_jobs([job("AAPL"), job("AAPL")], "normal")
    made = [result.prediction for _, result in publisher.answers if isinstance(result, Forecast)]
    first, second = (each.prediction_id for each in made)
    assert first != second
    assert {first, second}.isdisjoint(publisher.published)


async def test_a_job_that_comes_first_after_a_restart_is_answered_as_without_one() -> None:
    """The market went on after the ticker's last quote; what waits on the bus is none of the job's business."""
    taken = [quote(MARKET), quote("AAPL", moment=1), quote(MARKET, moment=5)]
    told, again = FakePublisher(), FakePublisher(cached=taken[1:])
    before = made_predict(FakeKnowledge(), told)
    await before.on_quotes(enveloped(*taken[:2]))
    await before.on_quotes(enveloped(*taken[2:]))
    await before.on_jobs([job("AAPL")], "normal")
    waiting = [quote(MARKET, moment=9), quote("AAPL", moment=9)]
    after = made_predict(FakeKnowledge(stored=[*taken, *waiting]), again)
    await after.on_jobs([job("AAPL")], "normal")
    ((_, expected),), ((_, answer),) = told.answers, again.answers
    assert isinstance(answer, Forecast)
    assert isinstance(expected, Forecast)
    nameless = uuid.UUID(int=0)
    made, told_before = (
        msgspec.structs.replace(each.prediction, prediction_id=nameless) for each in (answer, expected)
    )
    assert made == told_before
    await after.on_quotes(enveloped(*waiting))
    assert [each.session_date for each in again.published.values()] == [SESSIONS[310].session_date]


async def test_quotes_do_not_wait_while_a_job_reads() -> None:
    publisher = FakePublisher()
    predict = made_predict(FakeKnowledge(), publisher)
    await predict.on_quotes(enveloped(quote(MARKET), quote("AAPL")))
    publisher.readable.clear()
    publisher.reading.clear()
    asked = asyncio.create_task(predict.on_jobs([job("IBM")], "normal"))
    await publisher.reading.wait()
    async with asyncio.timeout(20):
        await predict.on_quotes(enveloped(quote("IBM", moment=1)))
    publisher.readable.set()
    await asked
    ((_, result),) = publisher.answers
    assert isinstance(result, Forecast), "the quote that came while it was looked for"
