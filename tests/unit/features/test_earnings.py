"""Earnings features against counting by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.market.bars import Dates, Floats
from tests.unit.features.reference import matrix, random_bars

SESSIONS = 400
FRAMES = random_bars(20, tickers=2, sessions=SESSIONS)
DAYS: Dates = FRAMES["T1"].index.to_numpy().astype("datetime64[D]")
ORDINALS: list[int] = DAYS.astype(int).tolist()
ADJUSTED = (FRAMES["T1"]["close"] * FRAMES["T1"]["factor"]).to_numpy()
MOVES = np.abs(np.log(ADJUSTED[1:] / ADJUSTED[:-1]))
T1 = np.array([1])


def made(reports: Dates, last: int, calendar: Dates = DAYS) -> EarningsFeatures:
    frames = {ticker: frame.iloc[: last + 1] for ticker, frame in FRAMES.items()}
    return EarningsFeatures({"T1": reports}, calendar, FeatureState(matrix(frames, last + 1), "SPX"))


def by_hand(reports: list[int], last: int) -> list[float]:
    """Plain loops over sessions and reports, all as days since 1970."""
    on = [next(day for day in ORDINALS if day >= report) for report in reports]
    ahead = [sum(1 for day in ORDINALS if ORDINALS[last] < day <= r) for r in on if r >= ORDINALS[last]]
    behind = [sum(1 for day in ORDINALS if r < day <= ORDINALS[last]) for r in on if r < ORDINALS[last]]
    after = [next((i for i, day in enumerate(ORDINALS) if day > r), SESSIONS) for r in sorted(reports)]
    moves = [MOVES[i - 1] for i in [i for i in after if last - 300 <= i <= last][-4:] if i > 0]
    return [min([*ahead, 10]), min([*behind, 63]), float(np.mean(moves)) if moves else np.nan]


@settings(max_examples=40, deadline=None)
@given(
    reports=st.lists(st.integers(ORDINALS[0], ORDINALS[-1]), max_size=8, unique=True),
    last=st.integers(2, SESSIONS - 1),
)
def test_counts_agree_with_plain_loops(reports: list[int], last: int) -> None:
    got = made(np.array(reports, "datetime64[D]"), last).features(T1, DAYS[last])[0]
    np.testing.assert_allclose(got, by_hand(reports, last), rtol=1e-9)


@pytest.mark.parametrize(("distance", "near"), [(-6, False), (-5, True), (0, True), (5, True), (6, False)])
def test_the_earnings_model_serves_within_five_sessions_of_a_report(distance: int, near: bool) -> None:
    assert made(DAYS[[300 + distance]], 300).near(T1, DAYS[300]).tolist() == [near]


def test_without_reports_nothing_is_near_and_there_is_no_usual_move() -> None:
    features = made(DAYS[:0], 100)
    assert features.near(T1, DAYS[100]).tolist() == [False]
    np.testing.assert_array_equal(features.features(np.array([0, 1]), DAYS[100]), [[10, 63, np.nan]] * 2)


def test_a_report_beyond_the_calendar_is_unknown() -> None:
    beyond, near = DAYS[[104]], DAYS[[103]]
    assert made(near, 100, DAYS[:104]).features(T1, DAYS[100])[0, 0] == 3
    assert made(beyond, 100, DAYS[:104]).features(T1, DAYS[100])[0, 0] == 10


def test_a_report_that_comes_while_running_enters_the_usual_move() -> None:
    reports = DAYS[[100, 160]]
    state = FeatureState(matrix({t: f.iloc[:150] for t, f in FRAMES.items()}, 150), "SPX")
    features = EarningsFeatures({"T1": reports}, DAYS, state)
    for place in range(150, 162):
        bar = FRAMES["T1"].iloc[[place]]
        fields: list[Floats] = [bar[name].to_numpy() for name in ("open", "high", "low", "close", "volume", "factor")]
        state.update(T1, DAYS[place], *fields)
    expected = (MOVES[100] + MOVES[160]) / 2
    assert features.features(T1, DAYS[161])[0, 2] == pytest.approx(expected, rel=1e-9)


def test_one_session_for_all_or_one_each() -> None:
    features = made(DAYS[[300]], 320)
    both = np.array([1, 1])
    each = features.features(both, DAYS[[310, 320]])
    assert each[:, 1].tolist() == [10, 20]
    assert features.near(both, DAYS[[305, 306]]).tolist() == [True, False]
