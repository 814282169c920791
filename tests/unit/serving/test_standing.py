"""No number is shown without what is against it, whatever happened since it was made."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.messaging.messages import Flag, Prediction, PredictionFailed
from riskee.messaging.slots import slot_of
from riskee.messaging.standing import StaleTickers
from riskee.messaging.statuses import Status
from serving.api.standing import SILENT_AFTER_SECONDS, Notice, Number, Reason, judged
from tests.unit.messaging import samples
from tests.unit.serving.standings import ALL_SLOTS, START, World

NAMES = ("AAPL", "IBM", "MSFT")


def prediction(ticker: str, at: datetime) -> Prediction:
    return msgspec.structs.replace(samples.PREDICTION, ticker=ticker, prediction_time=at, flags=(Flag.REPLAY,))


def number(world: World, ticker: str = "IBM", age: float = 0.0) -> Number:
    made = prediction(ticker, world.now() - timedelta(seconds=age))
    return judged(made, world.standings.reasons(made))


def failed(ticker: str, status: Status) -> PredictionFailed:
    return PredictionFailed(ticker=ticker, feed="replay/1", data_time=START, status=status, reason="test")


def test_until_a_predictor_is_heard_every_number_is_flagged() -> None:
    world = World()
    found = number(world)
    assert (found.status, found.since) == (Status.PREDICT_SILENT, START)
    assert Flag.PREDICT_SILENT in found.prediction.flags
    assert world.beat() == [Notice(Reason(Status.OK, START))]
    assert number(world) == Number(prediction("IBM", START), Status.OK)


def test_a_predictor_that_is_not_heard_any_more_is_noticed() -> None:
    world = World()
    world.beat()
    world.seconds += SILENT_AFTER_SECONDS
    assert world.standings.turn() == []
    assert number(world).status is Status.OK
    world.seconds += 0.25
    assert number(world).status is Status.PREDICT_SILENT
    assert world.standings.turn() == [Notice(Reason(Status.PREDICT_SILENT, START))]
    assert world.standings.turn() == [], "it is told once"
    assert world.beat() == [Notice(Reason(Status.OK, START))]


@pytest.mark.parametrize("status", [Status.FEED_MUTE, Status.SESSION_CLOSED])
def test_what_a_feed_stands_at_holds_of_every_number(status: Status) -> None:
    world = World()
    world.beat()
    world.seconds += 2
    assert world.beat(status, world.now()) == [Notice(Reason(status, world.now()))]
    found = number(world, age=1)
    assert (found.status, found.since) == (status, world.now())
    assert Flag(status.value) in found.prediction.flags
    world.seconds += 2
    assert world.beat(Status.OK, world.now()) == [Notice(Reason(Status.OK, world.now()))]
    assert number(world).status is Status.OK
    old = number(world, age=1)
    assert (old.status, old.since) == (Status.STALE, world.now()), "it is from before the feed spoke again"


def test_a_halted_ticker_is_flagged_until_its_next_prediction_after_the_halt() -> None:
    world = World()
    world.beat()
    assert world.beat(halted=("IBM",)) == [Notice(Reason(Status.HALTED, START), ("IBM",), standing=False)]
    assert world.beat(halted=("IBM",)) == []
    assert number(world).status is Status.HALTED
    assert number(world, "AAPL").status is Status.OK
    world.standings.predicted(prediction("IBM", world.now()))
    assert number(world).status is Status.HALTED, "a quote ends no halt"
    world.seconds += 1
    assert world.beat() == [Notice(Reason(Status.STALE, world.now()), ("IBM",), standing=False)]
    assert number(world).status is Status.STALE
    world.standings.predicted(prediction("IBM", world.now()))
    assert number(world).status is Status.OK


def test_a_stale_ticker_and_one_without_a_prediction_are_flagged_until_the_next() -> None:
    world = World()
    world.beat()
    stale = StaleTickers(feed="replay/1", tickers=("AAPL", "IBM"), since=START)
    assert world.standings.stale(stale) == [Notice(Reason(Status.STALE, START), ("AAPL", "IBM"), standing=False)]
    assert [number(world, ticker).status for ticker in NAMES] == [Status.STALE, Status.STALE, Status.OK]
    world.standings.failed(failed("MSFT", Status.NO_MODEL), START)
    found = number(world, "MSFT")
    assert (found.status, Flag.STALE in found.prediction.flags) == (Status.NO_MODEL, True)
    for ticker in NAMES:
        world.standings.predicted(prediction(ticker, START))
        assert number(world, ticker).status is Status.OK


def test_of_several_predictors_the_silent_ones_numbers_are_flagged() -> None:
    world = World()
    lost, kept = slot_of("IBM"), tuple(slot for slot in ALL_SLOTS if slot != slot_of("IBM"))
    world.beat(slots=(lost,))
    world.beat(slots=kept)
    world.seconds += SILENT_AFTER_SECONDS - 1
    world.beat(slots=kept)
    world.seconds += 2
    assert world.standings.turn() == [Notice(Reason(Status.PREDICT_SILENT, START), ("IBM",))]
    assert [number(world, ticker).status for ticker in NAMES] == [Status.OK, Status.PREDICT_SILENT, Status.OK]
    assert set(world.standings.current()) == {
        Notice(Reason(Status.OK, START), ("AAPL", "MSFT")),
        Notice(Reason(Status.PREDICT_SILENT, START), ("IBM",)),
    }
    assert world.beat(slots=ALL_SLOTS) == [Notice(Reason(Status.OK, START))], "another one took the work over"


def test_a_gravest_status_counts_and_every_flag_is_there() -> None:
    world = World()
    world.beat(Status.SESSION_CLOSED, halted=("IBM",))
    world.standings.failed(failed("IBM", Status.COLD_WINDOW), START)
    found = number(world)
    assert found.status is Status.HALTED
    assert {Flag.SESSION_CLOSED, Flag.HALTED, Flag.COLD_WINDOW, Flag.REPLAY} == set(found.prediction.flags)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), st.sampled_from(NAMES)),
        st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0, 4.0])),
        st.tuples(st.sampled_from(["halt", "resume", "stale", "fail"]), st.sampled_from(NAMES)),
        st.tuples(st.just("stand"), st.sampled_from(["ok", "feed_mute", "session_closed"])),
        st.tuples(st.just("beat"), st.just("")),
    ),
    max_size=60,
)


class Account:
    """A plain account of what may be shown as current: a ticker's latest number, if nothing happened since."""

    def __init__(self) -> None:
        self.world = World()
        self.status, self.since = Status.OK, self.world.now()
        self.halted: set[str] = set()
        self.numbers: dict[str, Prediction] = {}
        self.current: set[str] = set()
        self.beat()

    def beat(self, _: str = "") -> None:
        self.world.beat(self.status, self.since, tuple(sorted(self.halted)))
        self.beat_at = self.world.seconds

    def quote(self, ticker: str) -> None:
        self.numbers[ticker] = prediction(ticker, self.world.now())
        self.world.standings.predicted(self.numbers[ticker])
        self.current.add(ticker)

    def stale(self, ticker: str) -> None:
        self.world.standings.stale(StaleTickers(feed="replay/1", tickers=(ticker,), since=self.world.now()))
        self.current.discard(ticker)

    def fail(self, ticker: str) -> None:
        self.world.standings.failed(failed(ticker, Status.NO_MODEL), self.world.now())
        self.current.discard(ticker)

    def halt(self, ticker: str) -> None:
        self.halted.add(ticker)
        self.beat()

    def resume(self, ticker: str) -> None:
        if ticker in self.halted:
            self.current.discard(ticker)
        self.halted.discard(ticker)
        self.beat()

    def stand(self, status: str) -> None:
        self.world.seconds += 0.001
        self.status, self.since = Status(status), self.world.now()
        self.current.clear()
        self.beat()

    def may_be_shown(self, ticker: str) -> bool:
        heard = self.world.seconds - self.beat_at <= SILENT_AFTER_SECONDS
        return ticker in self.current and self.status is Status.OK and ticker not in self.halted and heard


@settings(max_examples=400, deadline=None)
@given(steps)
def test_no_story_leaves_an_unflagged_number_of_who_is_silent_halted_or_closed(story: list[tuple[str, Any]]) -> None:
    account = Account()
    for step, value in story:
        if step == "wait":
            account.world.seconds += value
        else:
            getattr(account, step)(value)
        account.world.standings.turn()
        for ticker, made in account.numbers.items():
            found = judged(made, account.world.standings.reasons(made))
            if account.may_be_shown(ticker):
                assert found == Number(made, Status.OK)
            else:
                assert found.status is not Status.OK
                assert set(found.prediction.flags) > set(made.flags)
