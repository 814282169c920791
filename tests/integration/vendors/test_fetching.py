"""Fetching from vendors into a real database: again and again, with corrections, splits and interruptions."""

import sys
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from riskee.clock import FixedClock
from riskee.errors import FatalError, PoisonError, RetryableError
from riskee.market.fetching import fetch, last_session
from riskee.storage.bars import BarCounts
from riskee.storage.findings import Kind, StoredFinding, read_findings
from riskee.storage.tickers import summaries
from tests.integration.vendors.conftest import Market
from tests.integration.vendors.listings import AAPL, AAPL_FACTORS, DAYS, MSFT, NOW, Listing
from tests.integration.vendors.server import Reply

pytestmark = pytest.mark.integration
CLOCK = FixedClock(NOW)
BARS = "/v2/stocks/bars"


@pytest.mark.parametrize(("source", "named"), [("yahoo", "yahoo"), ("alpaca", "alpaca:iex")])
def test_what_a_vendor_has_is_stored_raw_under_its_name(market: Market, source: str, named: str) -> None:
    seen: list[tuple[int, int]] = []
    report = fetch(
        market.engine, market.settings, CLOCK, source, ("AAPL", "GONE", "MSFT"),
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert report.bars == BarCounts(new=12)
    assert (report.source, report.tickers, report.first, report.last) == (named, 2, DAYS[0], DAYS[-1])
    assert [note.split(":")[0] for note in report.notes] == ["GONE"]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    closes, adjusted, sources, _ = zip(*market.stored(), strict=True)
    assert list(closes) == AAPL.close
    np.testing.assert_allclose(adjusted, np.multiply(AAPL.close, AAPL_FACTORS), rtol=1e-12)
    assert set(sources) == {named}


def test_a_new_ticker_is_fetched_for_as_many_years_as_the_settings_say(market: Market) -> None:
    market.fetch("AAPL")
    first = date.fromisoformat(market.server.asked(BARS)[0].query["start"][:10])
    assert first == DAYS[-1] - timedelta(days=3650)


def test_the_next_time_only_the_last_days_are_asked_for_and_a_correction_is_a_version(market: Market) -> None:
    market.fetch("AAPL")
    longer = Listing(
        [*AAPL.close[:4], 134.5, *AAPL.close[5:], 120.88], AAPL.dividends, AAPL.splits, days=(*DAYS, date(2020, 9, 3))
    )
    market.trade(AAPL=longer, MSFT=MSFT)
    market.server.requests.clear()
    report = market.fetch("AAPL", "MSFT", at=NOW + timedelta(days=1))
    assert report.bars == BarCounts(new=1 + len(DAYS), changed=1, unchanged=5)
    starts = {request.query["symbols"]: request.query["start"][:10] for request in market.server.asked(BARS)}
    assert starts == {"AAPL": "2020-08-26", "MSFT": "2010-09-06"}
    assert [version for *_, version in market.stored()] == [1, 1, 1, 1, 2, 1, 1]


def test_what_is_odd_is_said_once_however_often_the_last_days_are_fetched(market: Market) -> None:
    """That one ticker is fetched from another day on than another is not odd; a missing session is."""

    def findings() -> list[StoredFinding]:
        with market.engine.connect() as connection:
            return read_findings(connection)

    market.fetch("AAPL", start=DAYS[0])
    assert findings() == []
    holed = Listing(AAPL.close[:4] + AAPL.close[5:], AAPL.dividends, AAPL.splits, days=DAYS[:4] + DAYS[5:])
    older = Listing([220.0, 221.0, *MSFT.close], days=(date(2020, 8, 24), date(2020, 8, 25), *DAYS))
    market.trade(AAPL=holed, MSFT=older)
    market.fetch("AAPL", "MSFT")
    once = findings()
    assert [(one.ticker, one.session, one.kind) for one in once] == [("AAPL", DAYS[-1], Kind.GAP)]
    for days in (1, 2):
        market.fetch("AAPL", "MSFT", at=NOW + timedelta(days=days))
    assert findings() == once


def test_after_a_split_yahoos_numbers_are_others_and_the_stored_bars_the_same(market: Market) -> None:
    """All that Yahoo says of the past changes with a split; what was traded does not."""
    before = Listing(AAPL.close[:3], AAPL.dividends, days=DAYS[:3])
    market.trade(AAPL=before)
    market.fetch("AAPL", source="yahoo", at=datetime(2020, 8, 28, 21, tzinfo=UTC))
    market.trade(AAPL=AAPL)
    report = market.fetch("AAPL", source="yahoo")
    assert report.bars == BarCounts(new=3, unchanged=3)
    closes, adjusted, _, versions = zip(*market.stored(), strict=True)
    assert list(closes) == AAPL.close
    assert set(versions) == {1}
    returns = np.diff(np.log(adjusted))
    np.testing.assert_allclose(returns, np.diff(np.log(np.multiply(AAPL.close, AAPL_FACTORS))), atol=1e-9)


def test_two_vendors_make_one_history(market: Market) -> None:
    """The second continues the first's factors."""
    market.fetch("AAPL", source="yahoo", end=DAYS[2])
    report = market.fetch("AAPL", source="alpaca")
    assert report.bars == BarCounts(new=3, unchanged=3)
    _, adjusted, sources, _ = zip(*market.stored(), strict=True)
    assert sources == ("yahoo",) * 3 + ("alpaca:iex",) * 3
    np.testing.assert_allclose(
        np.diff(np.log(adjusted)), np.diff(np.log(np.multiply(AAPL.close, AAPL_FACTORS))), atol=1e-9
    )


def test_what_came_before_an_interruption_is_stored(market: Market) -> None:
    market.server.fail("/v1/corporate-actions", Reply({"corporate_actions": {}}), Reply("", 500))
    with pytest.raises(RetryableError, match="Alpaca answers 500"):
        market.fetch("MSFT", "AAPL")
    assert len(market.stored("MSFT")) == len(DAYS)
    assert market.stored("AAPL") == []
    assert market.fetch("MSFT", "AAPL").bars == BarCounts(new=6, unchanged=6)


def test_where_nothing_came_nothing_is_stored(market: Market) -> None:
    market.server.fail(BARS, Reply("", 500))
    with pytest.raises(RetryableError, match="Alpaca answers 500"):
        market.fetch("MSFT", "AAPL")
    with market.engine.connect() as connection:
        assert summaries(connection) == []


def test_a_session_that_is_not_over_is_not_asked_for(market: Market) -> None:
    trading = datetime(2020, 9, 2, 15, tzinfo=UTC)
    assert market.fetch("AAPL", at=trading, end=date(2030, 1, 1)).last == DAYS[-2]
    assert last_session(trading) == DAYS[-2]
    assert last_session(datetime(2020, 9, 7, 22, tzinfo=UTC)) == date(2020, 9, 4)  # Labor Day


@pytest.mark.parametrize(
    ("tickers", "window", "cause"),
    [
        (["aapl"], (None, None), "no ticker: aapl"),
        (["../AAPL"], (None, None), r"no ticker: \.\./AAPL"),
        ([], (None, None), "no tickers to fetch"),
        (["AAPL"], (DAYS[3], DAYS[1]), "nothing to fetch to 2020-08-27: AAPL from 2020-08-31"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(
    market: Market, tickers: list[str], window: tuple[date | None, date | None], cause: str
) -> None:
    with pytest.raises(PoisonError, match=cause):
        market.fetch(*tickers, start=window[0], end=window[1])
    assert market.server.requests == []


def test_a_missing_library_names_the_extra(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "riskee.market.sources.yahoo", None)
    with pytest.raises(FatalError, match=r"extra `vendors`: make vendors"):
        market.fetch("AAPL", source="yahoo")
    with pytest.raises(PoisonError, match="vendors: yahoo, alpaca"):
        market.fetch("AAPL", source="bloomberg")
