"""What Alpaca's messages do to the running bars."""

from datetime import date, timedelta

import pytest

from riskee.errors import PoisonError
from riskee.market.quotes import Tick
from riskee.market.running_bars import RunningBars
from riskee.market.sessions import exchange_sessions
from riskee.messaging.messages import MarketState
from serving.consumers.feeds.alpaca.taker import Taker
from serving.consumers.feeds.alpaca.wire import Market, MinuteMessage, decode

(SESSION,) = exchange_sessions(date(2026, 1, 5), date(2026, 1, 5))
OPEN = SESSION.opens_at


@pytest.fixture
def taker() -> Taker:
    return Taker(RunningBars("alpaca/sip", [SESSION]))


def at(seconds: float) -> str:
    return (OPEN + timedelta(seconds=seconds)).isoformat()


def take(taker: Taker, *messages: str) -> Tick | None:
    """Give the messages as the vendor sends them; answers the quote that they change, if they do."""
    found, unreadable = decode(f"[{','.join(messages)}]".encode())
    assert unreadable == 0
    taker.take([message for message in found if isinstance(message, Market)])
    ticks = taker.bars.drain()
    assert len(ticks) <= 1
    return ticks[0] if ticks else None


def trade(number: int, seconds: float, price: float, conditions: str = '"@"') -> str:
    return (
        f'{{"T":"t","S":"A","i":{number},"x":"V","p":{price},"s":100,"c":[{conditions}],"z":"C","t":"{at(seconds)}"}}'
    )


def status(code: str, seconds: float) -> str:
    return f'{{"T":"s","S":"A","sc":"{code}","sm":"m","rc":"T1","rm":"r","t":"{at(seconds)}","z":"C"}}'


def bar(kind: str, seconds: float, high: float, volume: int) -> str:
    return f'{{"T":"{kind}","S":"A","o":10,"h":{high},"l":9,"c":10,"v":{volume},"n":3,"vw":10.1,"t":"{at(seconds)}"}}'


def test_bars_and_updated_bars(taker: Taker) -> None:
    first, second = take(taker, bar("b", 0, 12, 100)), take(taker, bar("u", 0, 11, 90), bar("b", 0, 12, 100))
    assert first
    assert second
    assert (first.high, first.volume) == (12, 100)
    assert (second.high, second.volume, second.sequence) == (11, 90, 1)


def test_trades_corrections_and_cancels(taker: Taker) -> None:
    take(taker, trade(1, 1, 10.0), trade(2, 2, 99.0), trade(3, 3, 500.0, '"@","I"'))
    corrected = take(
        taker,
        '{"T":"c","S":"A","x":"V","oi":2,"op":99,"os":100,"oc":["@"],"ci":4,"cp":11,"cs":50,"cc":["@"],"z":"C",'
        f'"t":"{at(5)}"}}',
    )
    assert corrected
    assert (corrected.high, corrected.price, corrected.volume) == (11.0, 11.0, 250.0)
    cancelled = take(taker, f'{{"T":"x","S":"A","i":4,"x":"V","p":11,"s":50,"a":"C","z":"C","t":"{at(6)}"}}')
    assert cancelled
    assert (cancelled.high, cancelled.volume) == (10.0, 200.0)
    assert taker.doubtful == set()


def test_what_corrects_an_unknown_trade_makes_its_ticker_doubtful(taker: Taker) -> None:
    take(taker, bar("b", 0, 12, 100))
    take(taker, f'{{"T":"x","S":"A","i":4,"x":"V","p":11,"s":50,"a":"E","z":"C","t":"{at(6)}"}}')
    assert taker.doubtful == {"A"}


@pytest.mark.parametrize(("halt", "resume"), [("H", "T"), ("P", "T"), ("2", "3")])
def test_halts_and_resumptions(taker: Taker, halt: str, resume: str) -> None:
    take(taker, status(halt, 1), status("Q", 2), status("5", 3), status(resume, 4))
    told = [(each.ticker, each.state, each.data_time, each.reason) for each in taker.statuses]
    assert told == [
        ("A", MarketState.HALTED, OPEN + timedelta(seconds=1), "r"),
        ("A", MarketState.OPEN, OPEN + timedelta(seconds=4), "m"),
    ]
    assert {each.feed for each in taker.statuses} == {"alpaca/sip"}


def test_a_resumption_is_told_though_the_halt_was_told_by_an_earlier_process(taker: Taker) -> None:
    take(taker, status("T", 4))
    assert [(each.ticker, each.state) for each in taker.statuses] == [("A", MarketState.OPEN)]


def test_what_is_halted_still_is_told_again_when_a_session_begins(taker: Taker) -> None:
    take(taker, status("H", -90), status("H", -60).replace('"A"', '"B"'), status("T", -30).replace('"A"', '"B"'))
    taker.statuses.clear()
    taker.begin(OPEN)
    assert [(each.ticker, each.state, each.data_time) for each in taker.statuses] == [("A", MarketState.HALTED, OPEN)]


def test_an_odd_lot_while_a_ticker_is_halted_does_not_end_the_halt(taker: Taker) -> None:
    take(taker, status("H", 60), trade(1, 90, 10.0, '"@","I"'))
    assert [each.state for each in taker.statuses] == [MarketState.HALTED]


def test_a_halted_ticker_that_trades_again_was_resumed(taker: Taker) -> None:
    take(taker, status("H", 60), bar("b", 0, 12, 100), trade(1, 59, 10.0))
    assert [each.state for each in taker.statuses] == [MarketState.HALTED]
    take(taker, trade(2, 90, 10.0))
    assert [each.state for each in taker.statuses] == [MarketState.HALTED, MarketState.OPEN]
    assert taker.statuses[-1].reason == "traded again"


def test_bids_confirm_a_bar_now_and_then(taker: Taker) -> None:
    take(taker, trade(1, 1, 10.0))

    def bid(seconds: float) -> str:
        return (
            f'{{"T":"q","S":"A","bx":"U","bp":1,"bs":1,"ax":"Q","ap":2,"as":4,"c":["R"],"z":"C","t":"{at(seconds)}"}}'
        )

    times = [tick.data_time if (tick := take(taker, bid(seconds))) else None for seconds in (2, 5, 13, 14)]
    assert times == [OPEN + timedelta(seconds=2), None, OPEN + timedelta(seconds=13), None]


def test_frames_that_are_no_messages_are_poison_and_unknown_kinds_are_counted() -> None:
    assert decode(b'[{"T":"n","S":"A"},{"T":"b","S":"A"}]') == ([], 2)
    for frame in (b"", b"{}", b"\xff", b"[1", b"[" * 100_000):
        with pytest.raises(PoisonError):
            decode(frame)


def test_broken_letters_in_a_message_leave_its_neighbours() -> None:
    good = bar("b", 0, 12, 100)
    found, unreadable = decode(f"[{good},{status('H', 1)}]".encode().replace(b'"sm":"m"', b'"sm":"\xff"'))
    assert ([type(message) for message in found], unreadable) == ([MinuteMessage], 1)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"o":10', '"o":0'),
        ('"h":12', '"h":-12'),
        ('"v":100', '"v":-1'),
        ('"S":"A"', '"S":"a\\u0000"'),
        ("+00:00", ""),
    ],
)
def test_numbers_that_no_market_has_are_unreadable(right: str, wrong: str) -> None:
    good = bar("b", 0, 12, 100)
    assert right in good
    assert decode(f"[{good.replace(right, wrong)}]".encode()) == ([], 1)


def test_trades_without_a_price_a_zone_or_with_less_than_no_shares_are_unreadable() -> None:
    good = trade(1, 1, 10.0)
    for right, wrong in (('"p":10.0', '"p":0'), ('"s":100', '"s":-1'), ("+00:00", "")):
        assert right in good
        assert decode(f"[{good.replace(right, wrong)}]".encode()) == ([], 1)
