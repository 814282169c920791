"""Which numbers are no current ones: mute feeds, stale tickers, halts and closed sessions, on clocks of the test."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.market.sessions import Session
from riskee.messaging.messages import MarketState, MarketStatus, Quote
from riskee.messaging.slots import slot_of
from riskee.messaging.statuses import Status
from riskee.settings import FeedSettings
from serving.consumers.announced import Announced
from serving.consumers.silence import ALL_SLOTS, Silence
from tests.unit.messaging import samples

MUTE, STALE = 30.0, 60.0
START = datetime(2026, 11, 23, 15, tzinfo=UTC)
PAST = datetime(2012, 9, 6, 14, 30, tzinfo=UTC)
NAMES = ("AAPL", "IBM", "MSFT")


@dataclass
class World:
    """A feed and two clocks, which the test moves."""

    kind: str = "replay"
    seconds: float = 0.0
    slots: tuple[int, ...] = ALL_SLOTS
    numbers: int = 0
    set_back: timedelta = timedelta()
    announced: Announced = field(default_factory=Announced)

    def __post_init__(self) -> None:
        feed = FeedSettings(mute_after_seconds=MUTE, stale_after_seconds=STALE)
        self.silence = Silence(feed, self.announced, self, lambda: self.seconds, lambda: self.slots, "SPX")

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds) - self.set_back

    def quote(self, ticker: str, feed: str = "replay/1", **changes: object) -> Quote:
        self.numbers += 1
        quote = msgspec.structs.replace(
            samples.QUOTE, ticker=ticker, feed=feed, received_at=self.now(), final=False, sequence=self.numbers
        )
        data_time = PAST if feed.startswith("replay") else self.now()
        return msgspec.structs.replace(quote, **({"data_time": data_time, "session_date": data_time.date()} | changes))

    def hear(self, *tickers: str, feed: str = "replay/1", **changes: object) -> list[Quote]:
        quotes = [self.quote(ticker, feed, **changes) for ticker in tickers]
        self.silence.took(quotes)
        return quotes

    def tell(self, state: MarketState, ticker: str | None = None, at: datetime = PAST, feed: str = "replay/1") -> None:
        self.silence.told(MarketStatus(feed=feed, state=state, data_time=at, ticker=ticker), self.now())

    def wait(self, seconds: float) -> tuple[str, ...]:
        """The tickers that became stale meanwhile. Real turns are so frequent that one follows every quote."""
        found = self.silence.turn()
        self.seconds += seconds
        return found + self.silence.turn()

    def closed_since(self) -> datetime | None:
        return self.silence.since if self.stands(Status.SESSION_CLOSED) else None

    def stands(self, status: Status) -> bool:
        return self.silence.status is status


def test_a_feed_is_mute_when_no_ticker_speaks_for_too_long_and_any_quote_ends_it() -> None:
    world = World()
    world.hear(*NAMES)
    world.wait(0)
    last = world.now()
    world.wait(MUTE)
    assert world.stands(Status.OK)
    assert world.wait(0.25) == ()
    assert (world.silence.status, world.silence.since) == (Status.FEED_MUTE, last)
    world.wait(100)
    assert world.silence.since == last
    world.hear("IBM")
    world.wait(0)
    assert (world.silence.status, world.silence.since) == (Status.OK, world.now())


def test_a_quote_wakes_the_turns_while_the_feed_is_silent_and_only_then() -> None:
    world, woken = World(), []
    world.silence.wake = lambda: woken.append(True)
    world.hear("AAPL")
    world.wait(MUTE + 1)
    assert woken == []
    world.hear("AAPL")
    assert woken == [True]


def test_a_process_that_never_heard_a_quote_calls_the_feed_mute() -> None:
    world = World()
    world.wait(MUTE + 1)
    assert world.stands(Status.FEED_MUTE)


def test_a_ticker_is_stale_when_the_others_go_on_without_it() -> None:
    world = World()
    world.silence.know(["AAPL", "IBM", "MSFT", "SPX"])
    for _ in range(6):
        assert world.wait(10) == ()
        world.hear("AAPL")
    assert world.wait(0.25) == ("IBM", "MSFT")
    assert world.wait(0.25) == (), "it is told once"
    world.hear("IBM")
    for _ in range(5):
        world.wait(10)
        world.hear("AAPL")
    assert world.wait(11) == ("IBM",), "and again after it spoke"


def test_a_mute_feed_makes_no_ticker_stale_and_after_it_each_has_time_to_speak() -> None:
    world = World()
    world.hear(*NAMES)
    for _ in range(20):
        assert world.wait(10) == ()
    world.hear("AAPL")
    assert world.wait(1) == ()
    for _ in range(6):
        world.hear("AAPL")
        found = world.wait(10)
    assert found == ("IBM", "MSFT")


def test_a_repeated_quote_and_one_that_a_job_takes_again_break_no_silence() -> None:
    world = World()
    quotes = world.hear(*NAMES)
    for _ in range(4):
        world.wait(8)
        world.silence.took(quotes)
    assert world.stands(Status.FEED_MUTE)
    world.silence.took(quotes[:1])
    world.wait(0)
    assert world.stands(Status.FEED_MUTE)


def test_a_clock_that_is_set_back_makes_no_feed_mute() -> None:
    """Neither one that speaks on, nor for long one that was mute."""
    world = World()
    world.hear(*NAMES)
    world.wait(0)
    world.set_back = timedelta(hours=1)
    for _ in range(8):
        world.wait(10)
        world.hear(*NAMES)
    world.wait(0)
    assert world.stands(Status.OK)
    world.wait(MUTE + 1)
    assert world.stands(Status.FEED_MUTE)
    world.set_back = timedelta(hours=2)
    world.hear("IBM")
    world.wait(0)
    assert world.stands(Status.OK)


def test_a_ticker_that_comes_twice_at_first_is_watched_once() -> None:
    world = World()
    world.hear("AAPL", "AAPL", "IBM")
    world.wait(0)
    assert world.silence.owned() == ["AAPL", "IBM"]
    for _ in range(7):
        world.hear("IBM")
        found = world.wait(10)
    assert found == ("AAPL",)


def test_quotes_that_wait_for_a_late_turn_are_bounded() -> None:
    world = World()
    for _ in range(30):
        world.hear(*(1000 * ["AAPL"]))
    assert len(world.silence._waiting) <= 20_000
    world.wait(0)
    assert world.silence.spoke == {"AAPL"}


def test_a_halt_holds_until_trading_resumes() -> None:
    world = World()
    world.hear(*NAMES)
    world.tell(MarketState.HALTED, "IBM")
    assert world.silence.halted() == {"IBM"}
    world.hear("IBM")
    world.wait(1)
    assert world.silence.standing().halted == ("IBM",), "a quote ends no halt"
    world.tell(MarketState.OPEN, "IBM")
    assert world.silence.standing().halted == ()
    assert world.stands(Status.OK)


def test_a_feed_says_when_its_session_ends_and_begins() -> None:
    world = World()
    close = PAST + timedelta(hours=6)
    world.hear(*NAMES)
    world.wait(5)
    world.tell(MarketState.CLOSED, at=close)
    assert (world.silence.status, world.silence.since) == (Status.SESSION_CLOSED, world.now())
    world.wait(1000)
    assert world.stands(Status.SESSION_CLOSED), "a closed session is not mute"
    assert world.announced.outside_session(close.date(), close)
    world.hear("IBM", data_time=close)
    world.wait(0)
    assert world.stands(Status.SESSION_CLOSED), "what comes after the close opens nothing"
    world.tell(MarketState.OPEN, at=PAST + timedelta(days=1))
    assert (world.silence.status, world.silence.since) == (Status.OK, world.now())
    assert not world.announced.outside_session(close.date() + timedelta(days=1), close + timedelta(hours=18))


def test_the_next_sessions_quotes_may_overtake_what_is_said_of_it() -> None:
    world = World()
    world.hear(*NAMES)
    close, opened = PAST + timedelta(hours=6), PAST + timedelta(days=1)
    closed_at = world.now() + timedelta(seconds=1)
    world.wait(2)
    world.hear("IBM", data_time=opened, session_date=opened.date())
    world.silence.told(MarketStatus(feed="replay/1", state=MarketState.CLOSED, data_time=close), closed_at)
    assert world.stands(Status.OK)
    world.tell(MarketState.CLOSED, at=opened + timedelta(hours=6))
    world.wait(1)
    world.hear("IBM", data_time=opened + timedelta(days=1), session_date=opened.date() + timedelta(days=1))
    world.wait(0)
    assert world.stands(Status.OK), "they open the session"


def test_a_repeated_open_changes_nothing() -> None:
    world = World()
    world.tell(MarketState.OPEN)
    since = world.silence.since
    world.wait(1)
    world.tell(MarketState.OPEN)
    assert world.silence.since == since


def calendar() -> dict[date, Session]:
    """Two sessions, the second with an early close."""
    opens_at = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    first = Session(opens_at.date(), opens_at, opens_at + timedelta(hours=6, minutes=30))
    opens_at += timedelta(days=1)
    second = Session(opens_at.date(), opens_at, opens_at + timedelta(hours=3, minutes=30))
    return {session.session_date: session for session in (first, second)}


def test_a_live_feed_opens_and_closes_by_the_calendar_early_closes_too() -> None:
    world = World()
    world.announced.calendar = calendar()
    world.hear(*NAMES, feed="live")
    world.wait(0)
    assert world.stands(Status.OK)
    world.wait(6 * 3600 - 0.25)
    world.hear("AAPL", feed="live")
    world.wait(0)
    assert world.stands(Status.OK)
    world.wait(0.25)
    assert (world.silence.status, world.silence.since) == (
        Status.SESSION_CLOSED,
        calendar()[date(2026, 11, 23)].closes_at,
    )
    world.hear("AAPL", feed="live")
    world.wait(1)
    assert world.stands(Status.SESSION_CLOSED), "trading after hours opens nothing"
    world.wait(17.5 * 3600 - 1)
    opened = calendar()[date(2026, 11, 24)].opens_at
    assert (world.now(), world.silence.status, world.silence.since) == (opened, Status.OK, opened)
    world.wait(MUTE + 1)
    assert world.stands(Status.FEED_MUTE), "a feed may be mute from the open on"
    world.wait(3.5 * 3600)
    assert (world.silence.status, world.silence.since) == (
        Status.SESSION_CLOSED,
        calendar()[date(2026, 11, 24)].closes_at,
    )


def test_a_replay_does_not_heed_the_calendar() -> None:
    world = World(seconds=10 * 3600)
    world.announced.calendar = calendar()
    world.hear(*NAMES)
    world.wait(1)
    assert world.stands(Status.OK)


def test_another_feed_begins_without_the_halts_of_the_last() -> None:
    world = World()
    world.hear(*NAMES)
    world.tell(MarketState.HALTED, "IBM")
    world.wait(5)
    world.hear("AAPL", feed="replay/2")
    world.wait(0)
    standing = world.silence.standing()
    assert (standing.feed, standing.halted, standing.since) == ("replay/2", (), world.now())


def test_it_goes_on_from_what_was_published_last() -> None:
    world = World()
    quote = world.hear(*NAMES)[0]
    world.tell(MarketState.HALTED, "IBM")
    world.wait(MUTE + 1)
    again = World(seconds=world.seconds)
    again.silence.restore(world.silence.standing())
    again.silence.took([quote])
    again.wait(1)
    assert again.silence.standing() == world.silence.standing(), "what the state is rebuilt from is no new quote"
    again.hear("IBM")
    again.wait(0)
    assert again.stands(Status.OK)


def test_a_halt_whose_end_nobody_told_ends_with_the_next_session_and_what_is_halted_still_is_told_after_it() -> None:
    world = World()
    world.hear(*NAMES)
    world.tell(MarketState.OPEN)
    world.tell(MarketState.HALTED, "IBM")
    world.tell(MarketState.OPEN)
    assert world.silence.halted() == {"IBM"}, "the same session's open is told again after a restart of ingest"
    world.tell(MarketState.CLOSED)
    assert world.silence.halted() == {"IBM"}
    world.tell(MarketState.OPEN, at=PAST + timedelta(days=1))
    world.tell(MarketState.HALTED, "MSFT", at=PAST + timedelta(days=1))
    assert world.silence.halted() == {"MSFT"}


def test_after_a_restart_the_open_of_the_same_session_ends_no_halt() -> None:
    world = World()
    world.hear(*NAMES, feed="live")
    world.tell(MarketState.OPEN, at=START, feed="live")
    world.tell(MarketState.HALTED, "IBM", at=START, feed="live")
    again = World(seconds=world.seconds + 60)
    again.silence.know(NAMES)
    again.silence.restore(world.silence.standing())
    again.tell(MarketState.OPEN, at=START, feed="live")
    assert again.silence.halted() == {"IBM"}
    again.tell(MarketState.OPEN, at=START + timedelta(days=1), feed="live")
    assert again.silence.halted() == set()


def test_tickers_of_other_predictors_are_not_its_own_to_call_stale() -> None:
    world = World(slots=(slot_of("AAPL"), slot_of("IBM")))
    world.silence.know(NAMES)
    for _ in range(6):
        world.hear("AAPL")
        world.wait(10)
    world.hear("AAPL")
    assert world.wait(0.25) == ("IBM",)
    assert world.silence.owned() == ["AAPL", "IBM"]
    world.slots = ALL_SLOTS
    assert world.wait(1) == (), "one that was taken over has time to speak"
    for _ in range(6):
        world.hear("AAPL", "IBM")
        found = world.wait(10)
    assert found == ("MSFT",) or world.wait(0.25) == ("MSFT",)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.sampled_from(NAMES)),
        st.tuples(st.just("wait"), st.sampled_from([0.25, 5.0, 31.0, 61.0])),
        st.tuples(st.sampled_from(["halt", "resume"]), st.sampled_from(NAMES)),
        st.tuples(st.sampled_from(["open", "close"]), st.none()),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_whatever_happens_who_is_silent_halted_or_closed_is_named(story: list[tuple[str, object]]) -> None:
    """Against a plain account of the same story, ticker by ticker."""
    world, day = World(), 0
    world.silence.know(NAMES)
    spoke = dict.fromkeys(NAMES, 0.0)
    halted: set[str] = set()
    closed, stale = False, set[str]()
    for step, value in story:
        if step == "wait" and isinstance(value, float):
            stale |= set(world.wait(value))
        elif step == "hear":
            spoke[str(value)] = world.seconds
            stale.discard(str(value))
            moment = PAST + timedelta(days=day, hours=7 if closed else 1)
            world.hear(str(value), data_time=moment, session_date=moment.date())
        elif step in {"halt", "resume"}:
            (halted.add if step == "halt" else halted.discard)(str(value))
            world.tell(MarketState.HALTED if step == "halt" else MarketState.OPEN, str(value))
        elif step == "close":
            closed = True
            world.tell(MarketState.CLOSED, at=PAST + timedelta(days=day, hours=6))
        else:
            day, closed, halted = day + 1, False, set()
            world.tell(MarketState.OPEN, at=PAST + timedelta(days=day))
        stale |= set(world.wait(0.25))
        standing = world.silence.standing()
        assert set(standing.halted) == halted
        assert (standing.status is Status.SESSION_CLOSED) is closed
        for ticker in NAMES:
            if world.seconds - spoke[ticker] > STALE + 0.25:
                current = standing.status is Status.OK and ticker not in halted and ticker not in stale
                reopened = standing.since > START + timedelta(seconds=spoke[ticker])
                assert not current or reopened, "an old number is named, or is from before the feed spoke again"


@pytest.mark.parametrize("kind", ["replay"])
def test_took_is_cheap_enough_to_be_called_for_each_quote(kind: str) -> None:
    """It keeps the quotes for the next turn and computes nothing."""
    world = World(kind)
    world.hear(*NAMES)
    assert len(world.silence._waiting) == len(NAMES)
    world.wait(0.25)
    assert world.silence._waiting == []
