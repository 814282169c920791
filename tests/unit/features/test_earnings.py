"""Earnings features against counting by hand."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.features.earnings import EarningsFeatures, surprise
from riskee.features.kernel import FeatureState
from riskee.market.bars import Dates, Floats
from riskee.market.reports import NO_REPORTS, Reports
from tests.unit.features.reference import made_reports, matrix, random_bars

SESSIONS = 400
FRAMES = random_bars(20, tickers=2, sessions=SESSIONS)
DAYS: Dates = FRAMES["T1"].index.to_numpy().astype("datetime64[D]")
ORDINALS: list[int] = DAYS.astype(int).tolist()
ADJUSTED = (FRAMES["T1"]["close"] * FRAMES["T1"]["factor"]).to_numpy()
MOVES = np.abs(np.log(ADJUSTED[1:] / ADJUSTED[:-1]))
T1 = np.array([1])


def made(reports: Reports, last: int, calendar: Dates = DAYS) -> EarningsFeatures:
    frames = {ticker: frame.iloc[: last + 1] for ticker, frame in FRAMES.items()}
    return EarningsFeatures({"T1": reports}, calendar, FeatureState(matrix(frames, last + 1), "SPX"))


@dataclass(frozen=True)
class Quarter:
    """One report, in days since 1970; its date is known from the beginning of a day."""

    day: int
    known: int
    eps: tuple[float, float]

    @property
    def surprise(self) -> float:
        estimate, result = self.eps
        size = abs(estimate) + abs(result)
        return max(-1.0, min(1.0, 2 * (result - estimate) / size)) if size else 0.0


def reports_of(quarters: list[Quarter]) -> Reports:
    ordered = sorted(quarters, key=lambda quarter: quarter.day)
    days: Dates = np.array([quarter.day for quarter in ordered], "datetime64[D]")
    known: Dates = np.array([quarter.known for quarter in ordered], "datetime64[D]")
    eps = np.array([quarter.eps for quarter in ordered]).reshape(-1, 2)
    return Reports(days, known.astype("datetime64[us]"), eps[:, 0], eps[:, 1])


def by_hand(quarters: list[Quarter], last: int) -> list[float]:
    """Plain loops over sessions and reports."""
    now = ORDINALS[last]
    known = sorted((quarter for quarter in quarters if quarter.known <= now), key=lambda quarter: quarter.day)
    on = [next(day for day in ORDINALS if day >= quarter.day) for quarter in known]
    ahead = [sum(1 for day in ORDINALS if now < day <= r) for r in on if r >= now]
    behind = [sum(1 for day in ORDINALS if r < day <= now) for r in on if r < now]
    after = [next((i for i, day in enumerate(ORDINALS) if day > quarter.day), SESSIONS) for quarter in known]
    past = [(i, quarter) for i, quarter in zip(after, known, strict=True) if last - 300 <= i <= last][-4:]
    moves = [MOVES[i - 1] for i, _ in past if i > 0]
    surprises = [quarter.surprise for _, quarter in past if not math.isnan(sum(quarter.eps))]
    return [
        min([*ahead, 10]),
        min([*behind, 63]),
        float(np.mean(moves)) if moves else np.nan,
        surprises[-1] if surprises else np.nan,
    ]


EPS = st.sampled_from([np.nan, -0.5, 0.0, 0.01, 1.0, 1.1, 250.0])
DAY = st.integers(ORDINALS[0], ORDINALS[-1])
QUARTERS = st.lists(st.builds(Quarter, DAY, DAY, st.tuples(EPS, EPS)), max_size=8, unique_by=lambda q: q.day)


@settings(max_examples=80, deadline=None)
@given(quarters=QUARTERS, last=st.integers(2, SESSIONS - 1))
def test_counts_agree_with_plain_loops(quarters: list[Quarter], last: int) -> None:
    got = made(reports_of(quarters), last).features(T1, DAYS[last])[0]
    np.testing.assert_allclose(got, by_hand(quarters, last), rtol=1e-9)


@pytest.mark.parametrize(("hours", "known"), [(0, True), (1, False), (-1, True)])
def test_a_date_counts_from_the_day_that_begins_when_it_is_known(hours: int, known: bool) -> None:
    moment: Dates = np.datetime64(DAYS[300], "us") + np.array([hours], "timedelta64[h]")
    found = made(Reports(DAYS[[303]], moment, *np.full((2, 1), np.nan)), 301)
    assert found.features(T1, DAYS[300])[0, 0] == (3 if known else 10)
    assert found.near(T1, DAYS[300]).tolist() == [known]
    assert found.features(T1, DAYS[301])[0, 0] == 2


def test_a_result_counts_from_the_session_after_the_report() -> None:
    found = made(made_reports(DAYS[[290, 300]], eps=[(1.0, 0.9), (1.0, 1.1)]), 301)
    surprises = [found.features(T1, DAYS[place])[0, 3] for place in (290, 291, 300, 301)]
    np.testing.assert_allclose(surprises, [np.nan, -0.2 / 1.9, -0.2 / 1.9, 0.2 / 2.1], rtol=1e-12)


def test_a_surprise_stays_within_bounds_whatever_the_estimate() -> None:
    estimate = np.array([0.02, -7.27, 1.0, 0.0, 0.0, 0.0, np.nan, 1.0])
    reported = np.array([-21.93, -94.01, 1.0, 0.0, 0.01, -0.01, 1.0, np.nan])
    np.testing.assert_allclose(surprise(estimate, reported), [-1, -1, 0, 0, 1, -1, np.nan, np.nan])


@pytest.mark.parametrize(("distance", "near"), [(-6, False), (-5, True), (0, True), (5, True), (6, False)])
def test_the_earnings_model_serves_within_five_sessions_of_a_report(distance: int, near: bool) -> None:
    assert made(made_reports(DAYS[[300 + distance]]), 300).near(T1, DAYS[300]).tolist() == [near]


def test_without_reports_nothing_is_near_and_there_is_no_usual_move() -> None:
    features = made(NO_REPORTS, 100)
    assert features.near(T1, DAYS[100]).tolist() == [False]
    np.testing.assert_array_equal(features.features(np.array([0, 1]), DAYS[100]), [[10, 63, np.nan, np.nan]] * 2)


def test_a_report_beyond_the_calendar_is_unknown() -> None:
    beyond, near = made_reports(DAYS[[104]]), made_reports(DAYS[[103]])
    assert made(near, 100, DAYS[:104]).features(T1, DAYS[100])[0, 0] == 3
    assert made(beyond, 100, DAYS[:104]).features(T1, DAYS[100])[0, 0] == 10


def test_a_report_that_comes_while_running_enters_the_usual_move() -> None:
    reports = made_reports(DAYS[[100, 160]])
    state = FeatureState(matrix({t: f.iloc[:150] for t, f in FRAMES.items()}, 150), "SPX")
    features = EarningsFeatures({"T1": reports}, DAYS, state)
    for place in range(150, 162):
        bar = FRAMES["T1"].iloc[[place]]
        fields: list[Floats] = [bar[name].to_numpy() for name in ("open", "high", "low", "close", "volume", "factor")]
        state.update(T1, DAYS[place], *fields)
    expected = (MOVES[100] + MOVES[160]) / 2
    assert features.features(T1, DAYS[161])[0, 2] == pytest.approx(expected, rel=1e-9)


def test_one_session_after_the_other_and_back() -> None:
    features = made(made_reports(DAYS[[300]]), 320)
    both = np.array([0, 1])
    for place, since, near in ((310, 10, False), (320, 20, False), (305, 5, True), (310, 10, False)):
        assert features.features(both, DAYS[place])[:, 1].tolist() == [63, since]
        assert features.near(both, DAYS[place]).tolist() == [False, near]


@pytest.mark.parametrize("reported", [158, 159])
def test_within_a_session_only_a_move_of_today_changes(reported: int) -> None:
    """Asked with every quote it gives what one that was never asked before gives, to the last bit."""
    reports = {"T1": made_reports(DAYS[[100, reported]])}
    state = FeatureState(matrix({t: f.iloc[:160] for t, f in FRAMES.items()}, 160), "SPX")
    asked, last = EarningsFeatures(reports, DAYS, state), FRAMES["T1"].iloc[[160]]
    moves = set()
    for share in (1.0, 0.9, 1.1):
        bar = last.assign(close=last["close"] * share)
        fields: list[Floats] = [bar[name].to_numpy() for name in ("open", "high", "low", "close", "volume", "factor")]
        state.update(T1, DAYS[160], *fields)
        found = asked.features(T1, DAYS[160])
        np.testing.assert_array_equal(found, EarningsFeatures(reports, DAYS, state).features(T1, DAYS[160]))
        moves.add(float(found[0, 2]))
    assert len(moves) == (3 if reported == 159 else 1)
