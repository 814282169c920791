"""Alpaca's adapter against a server that speaks its market data protocol."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from pydantic import SecretStr

from riskee.clock import FixedClock
from riskee.errors import FatalError, NotFoundError, PoisonError, RetryableError
from riskee.market.sources.alpaca import Alpaca
from riskee.market.sources.vendors import CutShortError, VendorSource
from riskee.settings import AlpacaSettings
from tests.integration.vendors.bench import VendorBench, patient
from tests.integration.vendors.listings import AAPL, AAPL_FACTORS, DAYS, KEY, MSFT, NOW, SECRET, Listing, alpaca
from tests.integration.vendors.server import Reply, serving

pytestmark = pytest.mark.integration
BARS, ACTIONS = "/v2/stocks/bars", "/v1/corporate-actions"


Bench = VendorBench[Alpaca]


def with_settings(bench: Bench, **changed: object) -> Alpaca:
    """The adapter with other settings."""
    settings = bench.vendor.settings.model_copy(update=changed)
    return Alpaca(settings, bench.vendor.clock, replace(bench.vendor.caller, settings=settings))


@pytest.fixture
def bench() -> Iterator[Bench]:
    """One request a second at most, on a clock that nobody waits for."""
    slept: list[float] = []
    with serving(alpaca({"AAPL": AAPL, "BRK.B": MSFT})) as server:
        settings = AlpacaSettings(
            url=server.url,
            key_id=SecretStr(KEY),
            secret_key=SecretStr(SECRET),
            feed="iex",
            timeout_seconds=20,
            requests_per_minute=60,
            retries=3,
        )
        caller = patient("Alpaca", settings, slept)
        yield Bench(server, Alpaca(settings, FixedClock(NOW), caller), slept)


def test_raw_bars_and_corporate_actions_become_bars_with_factors(bench: Bench) -> None:
    raw = VendorSource(bench.vendor, {"AAPL": DAYS[0]}, DAYS[-1]).read()
    assert raw.source == "alpaca:iex"
    assert [day.date() for day in raw.bars["session"]] == list(DAYS)
    for name in ("open", "high", "low", "close", "volume"):
        assert raw.bars[name].to_list() == getattr(AAPL, name)
    assert raw.bars["dividend"].to_list() == [0, 0, 0.82, 0, 0, 0]
    assert raw.bars["split"].to_list() == [1, 1, 1, 4, 1, 1]
    np.testing.assert_allclose(raw.bars["adjustment_factor"], AAPL_FACTORS, rtol=1e-12)
    assert raw.notes == ()


def test_all_pages_are_read_of_the_feed_that_is_set(bench: Bench) -> None:
    bench.server.answer = alpaca({"AAPL": AAPL}, page=1)
    assert len(bench.history().bars) == len(DAYS)
    pages = bench.server.asked(BARS)
    assert [page.query.get("page_token") for page in pages] == [None, "1", "2", "3", "4", "5"]
    assert {(page.query["feed"], page.query["adjustment"], page.query["timeframe"]) for page in pages} == {
        ("iex", "raw", "1Day")
    }
    assert len(bench.server.asked(ACTIONS)) == 2


def test_a_window_is_asked_for_to_its_last_midnight_and_actions_to_long_after(bench: Bench) -> None:
    """A dividend is filed under the day of its payment; and the newest minutes are not in every plan."""
    assert bench.history(last=DAYS[2]).bars["close"].to_list() == AAPL.close[:3]
    assert bench.server.asked(BARS)[0].query["end"] == "2020-08-28T12:00:00+00:00"
    assert bench.server.asked(ACTIONS)[0].query["end"] == "2020-12-31"


def test_an_event_on_a_day_without_a_bar_belongs_to_the_next_one(bench: Bench) -> None:
    sunday, monday = date(2020, 8, 30), DAYS[3]
    bench.server.answer = alpaca(
        {"AAPL": Listing(AAPL.close, {sunday: 0.82}, {sunday: (4.0, 1.0), monday: (1.0, 2.0)})}
    )
    bars = bench.history().bars
    assert bars["dividend"].to_list() == [0, 0, 0, 0.82, 0, 0]
    assert bars["split"].to_list() == [1, 1, 1, 2, 1, 1]


def test_events_before_the_window_are_left_out(bench: Bench) -> None:
    bench.server.answer = alpaca({"AAPL": Listing(AAPL.close, {date(2020, 8, 25): 0.82}, {date(2019, 1, 2): (2, 1)})})
    bars = bench.history().bars
    assert bars["dividend"].sum() == 0
    assert bars["split"].prod() == 1


def test_a_spin_off_is_told(bench: Bench) -> None:
    off = {"ex_date": "2020-08-28", "new_symbol": "CHILD", "source_symbol": "AAPL", "new_rate": 1, "source_rate": 2}
    bench.server.fail(ACTIONS, Reply({"corporate_actions": {"spin_offs": [off]}, "next_page_token": None}))
    (note,) = bench.history().notes
    assert note.startswith("spun off CHILD on 2020-08-28")


@pytest.mark.parametrize("path", [BARS, ACTIONS])
@pytest.mark.parametrize(
    "fault",
    [Reply("", 500), Reply({"message": "too many requests."}, 429), Reply("{", cut=True)],
    ids=["broken", "busy", "cut off"],
)
def test_what_may_pass_is_tried_again_and_then_given_up(bench: Bench, path: str, fault: Reply) -> None:
    bench.server.fail(path, *[fault] * 4)
    with pytest.raises(RetryableError, match="Alpaca"):
        bench.history()
    assert len(bench.server.asked(path)) == 4


def test_a_busy_server_is_left_alone_for_as_long_as_it_wants(bench: Bench) -> None:
    bench.server.fail(BARS, Reply("", 429, {"Retry-After": "7"}))
    assert bench.history().bars["close"].to_list() == AAPL.close
    assert max(bench.slept) == 7.0 + 1.0


def test_a_silent_server_is_given_up(bench: Bench) -> None:
    bench.server.fail(BARS, *[Reply(silent=True)] * 4)
    with pytest.raises(RetryableError, match="does not answer: ReadTimeout"):
        with_settings(bench, timeout_seconds=0.2).history("AAPL", DAYS[0], DAYS[-1])


@pytest.mark.parametrize(
    "body",
    ['{"bars": {"AAPL": [{"t": "2020-08', {}, [], {"bars": {"AAPL": [{"t": "2020-08-26T04:00:00Z", "o": "1"}]}}],
    ids=["truncated", "empty", "no page", "no bar"],
)
def test_a_malformed_answer_is_poison(bench: Bench, body: object) -> None:
    bench.server.fail(BARS, Reply(body))
    with pytest.raises(PoisonError, match="cannot be read") as raised:
        bench.history()
    assert not isinstance(raised.value, NotFoundError)


def test_a_split_to_nothing_is_poison(bench: Bench) -> None:
    split = {"ex_date": "2020-08-28", "new_rate": 1, "old_rate": 0}
    bench.server.fail(ACTIONS, Reply({"corporate_actions": {"reverse_splits": [split]}, "next_page_token": None}))
    with pytest.raises(PoisonError, match="old_rate"):
        bench.history()


def test_an_unknown_ticker_does_not_stop_the_others(bench: Bench) -> None:
    raw = VendorSource(bench.vendor, dict.fromkeys(("GONE", "BRK.B"), DAYS[0]), DAYS[-1]).read()
    assert raw.bars["ticker"].unique().tolist() == ["BRK.B"]
    assert raw.notes == (f"GONE: Alpaca has no prices from {DAYS[0]} to {DAYS[-1]}",)
    bench.server.fail(BARS, Reply({"message": "invalid symbol: A-B"}, 400))
    with pytest.raises(PoisonError, match="invalid symbol: A-B"):
        bench.history("A-B")
    bench.server.fail(BARS, Reply({"message": "endpoint not found."}, 404))
    with pytest.raises(NotFoundError, match="endpoint not found"):
        bench.history()


def test_what_came_before_a_failure_is_kept(bench: Bench) -> None:
    wanted = dict.fromkeys(("BRK.B", "AAPL", "MSFT"), DAYS[0])
    bench.server.fail(ACTIONS, Reply({"corporate_actions": {}, "next_page_token": None}), *[Reply("", 500)] * 4)
    with pytest.raises(CutShortError, match="Alpaca answers 500") as raised:
        VendorSource(bench.vendor, wanted, DAYS[-1]).read()
    partial = raised.value.partial
    assert partial is not None
    assert partial.bars["ticker"].unique().tolist() == ["BRK.B"]
    assert partial.notes == ("stopped at AAPL: Alpaca answers 500",)


@pytest.mark.parametrize("missing", ["key_id", "secret_key"])
def test_without_a_key_the_settings_are_named(bench: Bench, missing: str) -> None:
    with pytest.raises(FatalError, match="RISKEE_ALPACA__KEY_ID and RISKEE_ALPACA__SECRET_KEY"):
        with_settings(bench, **{missing: None}).history("AAPL", DAYS[0], DAYS[-1])
    assert bench.server.requests == []


def test_a_wrong_key_names_the_settings_and_shows_up_nowhere(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where the server repeats it."""
    wrong = SecretStr("wrong-secret-of-mine")
    caplog.set_level(logging.DEBUG)
    bench.server.fail(BARS, Reply("", 503))
    with pytest.raises(FatalError, match="RISKEE_ALPACA__SECRET_KEY") as raised:
        with_settings(bench, secret_key=wrong).history("AAPL", DAYS[0], DAYS[-1])
    assert "403" in str(raised.value)
    assert "trying again" in caplog.text
    for told in (str(raised.value), repr(raised.value.__cause__), caplog.text, repr(bench.vendor)):
        assert wrong.get_secret_value() not in told
        assert SECRET not in told
        assert KEY not in told


@pytest.mark.parametrize("url", ["http://data.example", "http://10.1.2.3:80", "http://localhost.data.example"])
def test_the_key_goes_over_no_network_in_plain_text(bench: Bench, url: str) -> None:
    with pytest.raises(FatalError, match="would send the key in plain text"):
        with_settings(bench, url=url).history("AAPL", DAYS[0], DAYS[-1])
    # The test's own server is plain, on loopback.
    assert bench.server.url.startswith("http://")
    assert len(bench.history().bars) == len(DAYS)
