"""The builders of documents: what they find, how they word it, and when it is known."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from riskee.documents.document import Document
from riskee.documents.earnings_calls import earnings_calls
from riskee.documents.economic_indicators import economic_indicators
from riskee.documents.history import histories
from riskee.documents.market_news import market_news
from riskee.documents.prediction_context import PastPrediction, prediction_context
from riskee.documents.technical_patterns import FOLLOW_UP, PATTERNS, technical_patterns
from riskee.market.bars import BarMatrix
from riskee.storage.macro import MacroValue

from .bars import FIRST, closed, day, history, wobble


def test_a_history_is_adjusted_and_leaves_out_days_that_are_no_session() -> None:
    sessions = np.array([["NaT", "2010-01-01", "2010-01-02", "2010-01-03"]], dtype="datetime64[D]")
    row = np.array([[np.nan, 10.0, 99.0, 6.0]])
    factor = np.array([[np.nan, 0.5, 1.0, 1.0]])
    bars = BarMatrix(("AAPL",), sessions, row, row, row, row, row, factor)
    (found,) = histories(bars, {day(0): closed(0), day(2): closed(2)}, {"AAPL": [(day(0), "a"), (day(1), "b")]})
    assert found.sessions == (day(0), day(2))
    assert found.sources == ("a", "b")
    assert found.close.tolist() == [5.0, 6.0]
    assert found.raw_close.tolist() == [10.0, 6.0]
    assert found.move[1] == pytest.approx(np.log(6 / 5))


class TestMarketNews:
    @staticmethod
    def jump(size: float = 0.1) -> Document:
        close = wobble(100)
        close[80:] *= np.exp(size)
        (document,) = market_news([history(close)], None, FIRST, 10)
        return document

    def test_tells_of_a_large_move_with_its_numbers(self) -> None:
        document = self.jump()
        assert document.title == "AAPL jumped 9.4% on 22 March 2010"
        assert "gained 9.4% in the session" in document.body
        assert "8.9 times the usual daily move" in document.body
        assert (document.ticker, document.source) == ("AAPL", "bars of AAPL")
        assert document.published_at == document.known_at == closed(80)

    def test_a_quiet_series_has_no_news(self) -> None:
        assert market_news([history(wobble(100))], None, FIRST, 10) == []

    def test_heavy_trading_alone_is_news(self) -> None:
        volume = np.full(100, 1000.0)
        volume[50] = 4000.0
        (document,) = market_news([history(wobble(100), volume=volume)], None, FIRST, 10)
        assert "in unusually heavy trading" in document.title
        assert "The traded value was 4.0 times the mean" in document.body

    def test_the_market_concerns_no_ticker_and_stands_beside_the_tickers_move(self) -> None:
        close = wobble(100)
        close[80:] *= np.exp(-0.1)
        stock, market = history(close), history(close, "SPX")
        documents = market_news([stock], market, FIRST, 10)
        assert [document.ticker for document in documents] == ["AAPL", None]
        assert "The market lost 10.4%" in documents[0].body
        assert documents[1].title.startswith("The market (SPX) dropped 10.4%")

    def test_keeps_the_most_notable_and_nothing_from_before_the_period(self) -> None:
        close = wobble(300)
        for at, size in ((80, 0.3), (150, 0.1), (220, 0.2)):
            close[at:] *= np.exp(size)
        found = market_news([history(close)], None, day(100), 1)
        assert [document.known_at for document in found] == [closed(220)]
        assert len(market_news([history(close)], None, day(100), 5)) == 2


class TestTechnicalPatterns:
    @staticmethod
    def documents(limit: int = 99) -> list[Document]:
        close = wobble(60)
        for at in (20, 30, 40):
            close[at:] *= np.exp(0.05)
        return technical_patterns([history(close, open_=close.copy())], FIRST, limit)

    def gaps(self) -> list[Document]:
        return [document for document in self.documents() if "gap up" in document.title]

    def test_is_known_only_when_the_follow_up_is(self) -> None:
        first = self.gaps()[0]
        assert (first.published_at, first.known_at) == (closed(20), closed(20 + FOLLOW_UP))

    def test_says_what_followed(self) -> None:
        assert self.gaps()[0].body.endswith("Over the five sessions after, AAPL gained 1.0%.")

    def test_counts_only_earlier_occurrences_whose_outcome_was_known(self) -> None:
        bodies = [document.body for document in self.gaps()]
        assert "Earlier occurrences since 1 January 2010: 0" in bodies[0]
        assert "since 1 January 2010: 1, followed by a gain over five sessions: 1." in bodies[1]
        assert "since 1 January 2010: 2, followed" in bodies[2]

    def test_a_pattern_at_the_end_waits_for_its_follow_up(self) -> None:
        close = wobble(60)
        close[56:] *= np.exp(0.05)
        assert technical_patterns([history(close, open_=close.copy())], FIRST, 99) == []

    def test_a_limit_spreads_over_time(self) -> None:
        everything, some = self.documents(), self.documents(limit=2)
        assert [d.known_at for d in some] == [everything[0].known_at, everything[-1].known_at]

    def test_no_document_depends_on_bars_after_it_is_known(self) -> None:
        rng = np.random.default_rng(9)
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, 600)))
        opened = close * np.exp(rng.normal(0, 0.01, 600))
        whole = technical_patterns([history(close, open_=opened)], FIRST, 9999)
        cut = technical_patterns([history(close[:450], open_=opened[:450])], FIRST, 9999)
        assert cut == [document for document in whole if document.known_at <= closed(449)]
        names = {document.title.split(": ")[1].split(" on ")[0] for document in whole}
        assert len(names) == len(PATTERNS)


CLOSE = np.array([100.0, 100.0, 110.0, 99.0, 99.0, 120.0, 120.0])
REPORTS = {"AAPL": np.array([day(2), day(5), day(6)], dtype="datetime64[D]")}
REPORTED_BY = {("AAPL", day(number)): f"report dates: {name}" for number, name in ((2, "a"), (5, "b"), (6, "a"))}


class TestEarningsCalls:
    def test_gives_both_sessions_and_is_known_after_the_second(self) -> None:
        first, second = earnings_calls([history(CLOSE)], REPORTS, REPORTED_BY, FIRST, 9)
        assert (first.published_at, first.known_at) == (closed(2), closed(3))
        assert (
            "gained 10.0% in the session of the report and lost 10.0% in the next, together it lost 1.0%" in first.body
        )
        assert "not its transcript" in first.body
        assert "at earlier reports (1): 1.0%" in second.body

    def test_a_report_whose_reaction_is_not_over_has_no_document(self) -> None:
        documents = earnings_calls([history(CLOSE)], REPORTS, REPORTED_BY, FIRST, 9)
        assert [document.published_at for document in documents] == [closed(2), closed(5)]

    def test_a_limit_keeps_the_last_and_counts_all_before(self) -> None:
        everything = earnings_calls([history(CLOSE)], REPORTS, REPORTED_BY, FIRST, 9)
        assert earnings_calls([history(CLOSE)], REPORTS, REPORTED_BY, FIRST, 1) == everything[-1:]

    def test_each_document_names_the_source_of_its_own_report(self) -> None:
        documents = earnings_calls([history(CLOSE)], REPORTS, REPORTED_BY, FIRST, 9)
        assert [document.source for document in documents] == ["report dates: a", "report dates: b"]

    def test_a_ticker_without_reports_has_none(self) -> None:
        assert earnings_calls([history(CLOSE)], {}, {}, FIRST, 9) == []


class TestEconomicIndicators:
    @staticmethod
    def point(quarter: int, value: float, series: str = "unemployment rate") -> MacroValue:
        start = date(2000 + quarter // 4, 1 + 3 * (quarter % 4), 1)
        known = datetime(start.year + 1, start.month, 1, tzinfo=UTC)
        return MacroValue(
            series, start, value, "index" if series == "consumer price index" else "percent", known, "macro source"
        )

    def test_a_rate_changes_by_points(self) -> None:
        points = [self.point(q, value) for q, value in enumerate((4.0, 4.5, 5.0, 5.5, 5.2))]
        document = economic_indicators(points, 1)[0]
        assert document.title == "US unemployment rate in the first quarter of 2001"
        assert "was 5.2% in" in document.body
        assert "fell 0.3 points against the quarter before and rose 1.2 points against the year before" in document.body
        assert document.ticker is None
        assert document.known_at == points[-1].known_at

    def test_a_level_changes_by_per_cent(self) -> None:
        document = economic_indicators(
            [self.point(0, 200.0, "consumer price index"), self.point(1, 202.0, "consumer price index")], 1
        )[0]
        assert "202.0 (index)" in document.body
        assert "It gained 1.0% against the quarter before." in document.body

    def test_unknown_series_are_left_out_and_the_first_has_no_change(self) -> None:
        documents = economic_indicators([self.point(0, 4.0), self.point(0, 1.0, "sunspots")], 9)
        assert [document.body for document in documents] == [
            "The unemployment rate of the United States was 4.0% in the first quarter of 2000."
        ]


class TestPredictionContext:
    @staticmethod
    def past(at: int, expected: float, outcome: float = 0.01, p_up: float = 0.55) -> PastPrediction:
        return PastPrediction("AAPL", day(at), "normal", expected, p_up, outcome)

    def test_says_it_is_a_backtest_and_what_came_of_it(self) -> None:
        (document,) = prediction_context([self.past(30, -0.02, p_up=0.45)], [history(wobble(40))], FIRST, 9)
        assert document.title == "Backtest: a model of type normal expected a loss of AAPL after 31 January 2010"
        assert "made by a model that was fitted for it alone; not published at the time" in document.body
        assert "expected a loss by the next close, with 45% for a gain and a mean move of 2.0% down." in document.body
        assert document.body.endswith("AAPL gained 1.0%: the direction was wrong.")
        assert (document.published_at, document.known_at) == (closed(30), closed(31))

    def test_a_published_one_says_so_and_knows_nothing_of_its_own_session(self) -> None:
        made_at = closed(30) - timedelta(hours=2)
        past = PastPrediction("AAPL", day(30), "normal", 0.02, 0.55, 0.01, made_at)
        close = wobble(40)
        close[30] *= 2
        (document,) = prediction_context([past], [history(close)], FIRST, 9)
        (backtest,) = prediction_context([self.past(30, 0.02)], [history(close)], FIRST, 9)
        assert document.title == "Live: the normal model expected a gain of AAPL on 31 January 2010"
        assert "published at the time" in document.body
        assert "the 20 sessions before, AAPL was unchanged" in document.body
        assert "the 20 sessions before, AAPL gained 100.0%" in backtest.body
        assert (document.published_at, document.known_at) == (made_at, closed(31))
        assert document.document_id != backtest.document_id

    @pytest.mark.parametrize(
        ("p_up", "outcome", "direction", "verdict"),
        [
            (0.45, 0.01, "a loss", "wrong"),
            (0.45, -0.01, "a loss", "right"),
            (0.5, 0.01, "a gain", "right"),
            (0.55, 0.0, "a gain", "wrong"),
            (0.45, 0.0, "a loss", "right"),
        ],
    )
    def test_the_direction_is_the_likelier_one_as_in_the_live_record(
        self, p_up: float, outcome: float, direction: str, verdict: str
    ) -> None:
        """Not the sign of the mean, which rare large moves decide."""
        predictions = [self.past(30, 0.02, outcome, p_up)]
        (document,) = prediction_context(predictions, [history(wobble(40))], FIRST, 9)
        assert f"expected {direction} of AAPL" in document.title
        assert f"expected {direction} by the next close, with {p_up:.0%} for a gain" in document.body
        assert "a mean move of 2.0% up." in document.body
        assert document.body.endswith(f"the direction was {verdict}.")

    def test_keeps_the_telling_ones_in_time_order(self) -> None:
        predictions = [self.past(30, 0.001), self.past(31, 0.03), self.past(29, -0.02)]
        documents = prediction_context(predictions, [history(wobble(40))], FIRST, 2)
        assert [document.published_at for document in documents] == [closed(29), closed(31)]

    def test_leaves_out_what_has_no_outcome_yet(self) -> None:
        predictions = [self.past(30, 0.01, float("nan")), self.past(39, 0.01), self.past(5, 0.01)]
        documents = prediction_context(predictions, [history(wobble(40))], day(10), 9)
        assert documents == []


def test_identities_do_not_depend_on_the_content_and_hashes_do() -> None:
    small, large = TestMarketNews.jump(0.1), TestMarketNews.jump(0.2)
    assert small.document_id == large.document_id
    assert small.content_sha256 != large.content_sha256
