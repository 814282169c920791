"""Yahoo's adapter against a server that speaks its chart protocol."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from riskee.clock import FixedClock
from riskee.errors import FatalError, NotFoundError, PoisonError, RetryableError
from riskee.market.sources.vendors import VendorSource
from riskee.market.sources.yahoo import Yahoo
from riskee.settings import YahooSettings
from riskee.storage.tickers import TickerInfo
from tests.integration.vendors.bench import VendorBench, patient
from tests.integration.vendors.listings import AAPL, AAPL_FACTORS, DAYS, MSFT, NOW, Listing, yahoo
from tests.integration.vendors.server import Reply, serving

pytestmark = pytest.mark.integration
CHART = "/v8/finance/chart/AAPL"
LISTINGS = {"AAPL": AAPL, "MSFT": MSFT, "BRK-B": MSFT, "^GSPC": Listing(MSFT.close, name="S&P 500", kind="INDEX")}


Bench = VendorBench[Yahoo]


@pytest.fixture
def bench(tmp_path: Path, _fresh_yfinance: None) -> Iterator[Bench]:
    """One request a second at most, on a clock that nobody waits for."""
    slept: list[float] = []
    with serving(yahoo(LISTINGS)) as server:
        settings = YahooSettings(url=server.url, timeout_seconds=20, retries=3)
        caller = patient("Yahoo", settings, slept)
        yield Bench(server, Yahoo(settings, FixedClock(NOW), caller, tmp_path / "yfinance", {"SPX": "^GSPC"}), slept)


def test_split_adjusted_numbers_become_those_that_were_traded(bench: Bench) -> None:
    raw = VendorSource(bench.vendor, {"AAPL": DAYS[0]}, DAYS[-1]).read()
    assert raw.source == "yahoo"
    assert [day.date() for day in raw.bars["session"]] == list(DAYS)
    for name in ("open", "high", "low", "close", "volume"):
        assert raw.bars[name].to_list() == getattr(AAPL, name)
    assert raw.bars["dividend"].to_list() == [0, 0, 0.82, 0, 0, 0]
    assert raw.bars["split"].to_list() == [1, 1, 1, 4, 1, 1]
    np.testing.assert_allclose(raw.bars["adjustment_factor"], AAPL_FACTORS, rtol=1e-12)
    assert raw.tickers == (TickerInfo("AAPL", "Apple Inc.", False, "yahoo"),)
    assert raw.notes == ()


def test_a_split_after_the_window_counts_too(bench: Bench) -> None:
    bars = bench.history(last=DAYS[1]).bars
    assert bars["close"].to_list() == AAPL.close[:2]
    assert bars["volume"].to_list() == AAPL.volume[:2]


def test_every_request_goes_where_the_settings_say_and_bears_the_crumb(bench: Bench) -> None:
    bench.history()
    paths = [request.path for request in bench.server.requests]
    assert paths.index("/") < paths.index("/v1/test/getcrumb") < paths.index(CHART)
    assert {request.query["crumb"] for request in bench.server.asked(CHART)} == {"crumb-1"}
    assert bench.server.asked(CHART)[-1].query["events"] == "div,splits,capitalGains"


def test_without_a_crumb_the_chart_is_asked_for_all_the_same(bench: Bench) -> None:
    bench.server.fail("/v1/test/getcrumb", *[Reply("Too Many Requests", 429)] * 20)
    assert len(bench.history().bars) == len(DAYS)
    assert "crumb" not in bench.server.asked(CHART)[-1].query


def test_yahoos_names_of_classes_of_shares_and_indices(bench: Bench) -> None:
    assert bench.history("BRK.B").bars["close"].to_list() == MSFT.close
    assert bench.history("SPX").info == TickerInfo("SPX", "S&P 500", True, "yahoo")


def test_requests_keep_their_distance(bench: Bench) -> None:
    bench.history()
    assert bench.slept == [1.0] * (len(bench.server.requests) - 1)


@pytest.mark.parametrize(
    "fault",
    [Reply("", 429, {"Retry-After": "7"}), Reply("", 503, {"Retry-After": "Wed, 02 Sep 2020 21:00:07 GMT"})],
)
def test_a_busy_server_is_left_alone_for_as_long_as_it_wants(bench: Bench, fault: Reply) -> None:
    bench.server.fail(CHART, fault)
    assert bench.history().bars["close"].to_list() == AAPL.close
    assert max(bench.slept) == 7.0 + 1.0  # and some jitter, here all of it


@pytest.mark.parametrize(
    "fault", [Reply("", 500), Reply("", 429), Reply("{", cut=True)], ids=["broken", "busy", "cut off"]
)
def test_what_may_pass_is_tried_again_and_then_given_up(bench: Bench, fault: Reply) -> None:
    bench.server.fail(CHART, *[fault] * 4)
    with pytest.raises(RetryableError, match="Yahoo"):
        bench.history()
    assert len(bench.server.asked(CHART)) == 4
    assert [pause for pause in bench.slept if pause != 1.0] == [2.0, 4.0]  # 1, 2, 4


def test_a_very_long_pause_is_not_waited_for(bench: Bench) -> None:
    bench.server.fail(CHART, Reply("", 429, {"Retry-After": "3600"}))
    with pytest.raises(RetryableError, match="no request for 3600 s"):
        bench.history()
    assert len(bench.server.asked(CHART)) == 1


def test_a_silent_server_is_given_up(bench: Bench) -> None:
    bench.vendor.caller.settings = settings = bench.vendor.settings.model_copy(update={"timeout_seconds": 0.2})
    silent = Yahoo(settings, bench.vendor.clock, bench.vendor.caller, bench.vendor.cache, {})
    bench.server.fail(CHART, *[Reply(silent=True)] * 4)
    with pytest.raises(RetryableError, match="does not answer: Timeout"):
        silent.history("AAPL", DAYS[0], DAYS[-1])


def test_nobody_there_is_a_failure_that_may_pass(bench: Bench) -> None:
    settings = bench.vendor.settings.model_copy(update={"url": "http://127.0.0.1:1"})
    nowhere = Yahoo(settings, bench.vendor.clock, bench.vendor.caller, bench.vendor.cache, {})
    with pytest.raises(RetryableError, match="does not answer: ConnectionError"):
        nowhere.history("AAPL", DAYS[0], DAYS[-1])


TRUNCATED = '{"chart": {"result": [{"meta": {"currency": "USD", "symbol'


@pytest.mark.parametrize(
    "body",
    [TRUNCATED, "<html>Will be right back</html>", {}, {"chart": {"result": [{"meta": {}}], "error": None}}],
    ids=["truncated", "no JSON", "no chart", "no numbers"],
)
def test_a_malformed_answer_is_poison(bench: Bench, body: object) -> None:
    bench.server.fail(CHART, *[Reply(body)] * 2)
    with pytest.raises(PoisonError, match="cannot be read") as raised:
        bench.history()
    assert not isinstance(raised.value, NotFoundError)


def test_a_malformed_answer_is_not_kept_for_the_next_time(bench: Bench) -> None:
    bench.server.fail(CHART, Reply(TRUNCATED))
    with pytest.raises(PoisonError):
        bench.history()
    assert len(bench.history().bars) == len(DAYS)


def test_a_ticker_that_is_not_listed_does_not_stop_the_others(bench: Bench) -> None:
    asked: list[int] = []
    wanted = dict.fromkeys(("GONE", "MSFT"), DAYS[0])
    raw = VendorSource(bench.vendor, wanted, DAYS[-1], lambda: asked.append(1)).read()
    assert raw.bars["ticker"].unique().tolist() == ["MSFT"]
    assert raw.notes == ("GONE: Yahoo has no prices: No data found, symbol may be delisted",)
    assert len(asked) == 2


@pytest.mark.parametrize("window", [(date(2020, 1, 2), date(2020, 1, 3)), (date(2019, 1, 2), date(2019, 1, 3))])
def test_a_window_without_prices_is_told(bench: Bench, window: tuple[date, date]) -> None:
    """The first has prices later on, the second none at all."""
    bench.server.answer = yahoo(LISTINGS | ({"AAPL": Listing([], days=())} if window[0].year == 2019 else {}))
    with pytest.raises(NotFoundError, match="Yahoo has no prices"):
        bench.history("AAPL", *window)


def test_nothing_at_all_is_an_error_that_says_why(bench: Bench) -> None:
    with pytest.raises(
        PoisonError, match="yahoo has nothing of what was asked for: GONE: Yahoo has no prices: No data"
    ):
        VendorSource(bench.vendor, {"GONE": DAYS[0]}, DAYS[-1]).read()


def test_a_stale_crumb_is_renewed_and_a_refusal_names_what_to_set(bench: Bench) -> None:
    error = {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
    bench.server.fail(CHART, Reply(error, 401))
    assert len(bench.history().bars) == len(DAYS)
    bench.server.fail("/v8/finance/chart/MSFT", *[Reply(error, 401)] * 2)
    with pytest.raises(FatalError, match="RISKEE_YAHOO__URL"):
        bench.history("MSFT")


def adjusted_close(monkeypatch: pytest.MonkeyPatch, factors: list[float]) -> None:
    """Have Yahoo adjust otherwise: raw prices by these factors."""
    close = np.multiply(AAPL.close, factors).tolist()
    monkeypatch.setattr("tests.integration.vendors.listings._adjusted_close", lambda _: close)


def test_a_dividend_counts_that_the_adjusted_close_forgets(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    adjusted_close(monkeypatch, [0.25, 0.25, 0.25, 1, 1, 1])
    bench.server.answer = yahoo({"AAPL": Listing(AAPL.close, {DAYS[2]: 8.2}, AAPL.splits)})
    raw = VendorSource(bench.vendor, {"AAPL": DAYS[0]}, DAYS[-1]).read()
    factors = [(1 - 8.2 / 500.04) / 4] * 2 + [1 / 4] + [1.0] * 3
    np.testing.assert_allclose(raw.bars["adjustment_factor"], factors, rtol=1e-12)
    (note,) = raw.notes
    assert note.endswith("disagrees with its own splits and dividends, which count, on 1 days, first 2020-08-28")


def test_a_spin_off_counts_that_only_the_adjusted_close_knows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    adjusted_close(monkeypatch, [factor * (0.9 if n < 4 else 1) for n, factor in enumerate(AAPL_FACTORS)])
    raw = VendorSource(bench.vendor, {"AAPL": DAYS[0]}, DAYS[-1]).read()
    factors = [factor * (0.9 if n < 4 else 1) for n, factor in enumerate(AAPL_FACTORS)]
    np.testing.assert_allclose(raw.bars["adjustment_factor"], factors, rtol=1e-12)
    assert raw.bars["close"].to_list() == AAPL.close
    (note,) = raw.notes
    assert note.endswith("alone tells of something given away, and counts, on 1 days, first 2020-09-01")
