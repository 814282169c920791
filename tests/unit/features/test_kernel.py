"""The kernel against the pandas reference, and what must hold whatever arrives."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.features.kernel import FeatureState
from tests.unit.features.reference import matrix, random_bars, reference_features

FIELDS = ("open", "high", "low", "close", "volume", "factor")


def feed(state: FeatureState, frames: dict[str, pd.DataFrame], day: pd.Timestamp) -> None:
    """One wave with every ticker that has a bar on this day."""
    there = [ticker for ticker, frame in frames.items() if day in frame.index]
    rows = np.array([state.index_of[ticker] for ticker in there], np.int64)
    bars = [np.array([frames[ticker].at[day, name] for ticker in there]) for name in FIELDS]
    state.update(rows, np.datetime64(day, "D"), *bars)


def close_to(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12, equal_nan=True)


def before(frames: dict[str, pd.DataFrame], day: pd.Timestamp) -> dict[str, pd.DataFrame]:
    return {ticker: frame[frame.index < day] for ticker, frame in frames.items()}


def interrupted(frame: pd.DataFrame, place: int, days: int) -> pd.DataFrame:
    """Without the bars after a place until this many days later; a place that 5 divides is a Monday."""
    last = frame.index[place]
    lost = (frame.index > last) & (frame.index < last + pd.Timedelta(days=days))
    kept: pd.DataFrame = frame[~lost]
    return kept


@pytest.mark.parametrize("gap", [1, 10, 11, 200])
def test_every_bar_of_the_history_agrees_with_pandas(gap: int) -> None:
    frames = random_bars(1, tickers=4, sessions=330, gaps=0.03)
    frames["SPX"] = interrupted(frames["SPX"], 90, 11)
    frames["T1"] = interrupted(random_bars(1, tickers=4, sessions=330)["T1"], 120, gap)
    expected = {ticker: reference_features(frame, frames["SPX"]) for ticker, frame in frames.items()}
    state = FeatureState(matrix(frames, 0), "SPX")
    for day in pd.bdate_range("2010-01-04", periods=330):
        feed(state, frames, day)
        for ticker, row in state.index_of.items():
            if day in frames[ticker].index:
                close_to(state.features(np.array([row]))[0], expected[ticker].loc[day].to_numpy())


@pytest.mark.parametrize("sessions", [40, 330])
def test_a_state_built_across_a_gap_begins_after_it(sessions: int) -> None:
    """So that neither its features nor its count of bars know of what was before."""
    frames = random_bars(11, tickers=3, sessions=sessions)
    frames["T1"] = interrupted(interrupted(frames["T1"], 20, 11), 5, 11)
    frames["T2"] = interrupted(frames["T2"], 20, 10)
    state = FeatureState(matrix(frames, 512), "SPX")
    assert state.bars_seen.tolist() == [sessions, sessions - 29, sessions - 7]
    for ticker, row in state.index_of.items():
        expected = reference_features(frames[ticker], frames["SPX"]).iloc[-1]
        close_to(state.features(np.array([row]))[0], expected.to_numpy())
    assert np.isnan(state.returns_on(np.array([1]), frames["T1"].index[:14].to_numpy()[None, :])).all()


@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_a_state_built_from_the_last_512_bars_equals_one_that_saw_them_all(gaps: float) -> None:
    frames = random_bars(2, tickers=3, sessions=900, gaps=gaps)
    expected = {ticker: reference_features(frame, frames["SPX"]) for ticker, frame in frames.items()}
    cut = frames["SPX"].index[-5]
    state = FeatureState(matrix(before(frames, cut), 512), "SPX")
    for day in frames["SPX"].index[-5:]:
        feed(state, frames, day)
        for ticker, row in state.index_of.items():
            if day in frames[ticker].index:
                close_to(state.features(np.array([row]))[0], expected[ticker].loc[day].to_numpy())


@pytest.mark.parametrize(("sessions", "lived"), [(700, 60), (530, 40), (120, 110), (30, 25)])
def test_a_state_that_lived_for_weeks_equals_one_built_today_to_the_last_bit(sessions: int, lived: int) -> None:
    """Else a restart would change predictions, and none could be reproduced. One of few tickers, too."""
    frames = random_bars(12, tickers=5, sessions=sessions, gaps=0.03)
    frames["T1"] = interrupted(frames["T1"], len(frames["T1"]) - 16, 11)
    frames["T2"] = frames["T2"].iloc[-lived:]
    days = frames["SPX"].index[-lived:]
    aged = FeatureState(matrix(before(frames, days[0]), 512), "SPX")
    few = {ticker: frames[ticker] for ticker in ("SPX", "T3")}
    for day in days:
        feed(aged, frames, day)
        fresh = FeatureState(matrix(before(frames, day), 512), "SPX")
        feed(fresh, frames, day)
        small = FeatureState(matrix(before(few, day), 512), "SPX")
        feed(small, few, day)
        wanted = fresh.features(np.arange(5))
        np.testing.assert_array_equal(aged.features(np.arange(5)), wanted)
        np.testing.assert_array_equal(small.features(np.array([0, 1])), wanted[[0, 3]])


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_late_repeated_and_provisional_quotes_leave_no_trace(data: st.DataObject) -> None:
    frames = random_bars(3, tickers=3, sessions=90)
    days = frames["SPX"].index
    clean = FeatureState(matrix(before(frames, days[-4]), 86), "SPX")
    noisy = FeatureState(matrix(before(frames, days[-4]), 86), "SPX")
    prices = st.floats(1.0, 500.0)
    for place in range(len(days) - 4, len(days)):
        day = days[place]
        feed(clean, frames, day)
        for started in (False, True):
            for _ in range(data.draw(st.integers(0, 3))):
                row = np.array([data.draw(st.integers(0, 2))])
                stray = [np.array([data.draw(prices)]) for _ in FIELDS]
                # Once the session has begun for everyone, quotes of closed sessions come too.
                lateness = data.draw(st.integers(0, 3)) if started else 0
                noisy.update(row, np.datetime64(days[place - lateness].date(), "D"), *stray)
            feed(noisy, frames, day)
    everyone = np.arange(3)
    np.testing.assert_array_equal(clean.features(everyone), noisy.features(everyone))
    np.testing.assert_array_equal(clean.bars_seen, noisy.bars_seen)


def test_a_bar_of_a_closed_session_is_refused() -> None:
    frames = random_bars(4, tickers=2, sessions=30)
    state = FeatureState(matrix(frames, 30), "SPX")
    untouched = state.features(np.array([0, 1]))
    late = frames["T1"].index[-2]
    taken = state.update(np.array([1]), np.datetime64(late, "D"), *(np.array([1.0]) for _ in FIELDS))
    assert not taken.any()
    np.testing.assert_array_equal(state.features(np.array([0, 1])), untouched)


def test_the_order_of_market_and_ticker_within_a_session_does_not_matter() -> None:
    frames = random_bars(5, tickers=2, sessions=300)
    day = frames["SPX"].index[-1]
    first, last = (FeatureState(matrix(before(frames, day), 299), "SPX") for _ in range(2))
    market, ticker = {"SPX": frames["SPX"]}, {"T1": frames["T1"]}
    feed(first, market, day)
    feed(first, ticker, day)
    feed(last, ticker, day)
    assert np.isnan(last.features(np.array([1]))[0, 13]), "the market's bar has not come yet"
    feed(last, market, day)
    np.testing.assert_array_equal(first.features(np.array([1])), last.features(np.array([1])))


def test_without_a_market_only_the_market_features_are_missing() -> None:
    frames = random_bars(6, tickers=2, sessions=300)
    features = FeatureState(matrix({"T1": frames["T1"]}, 300), "SPX").features(np.array([0]))[0]
    assert np.flatnonzero(np.isnan(features)).tolist() == [12, 13, 14]


def test_a_flat_price_gives_no_quotients() -> None:
    frames = random_bars(7, tickers=2, sessions=260)
    for name in ("open", "high", "low", "close"):
        frames["T1"][name] = 33.1
    frames["T1"]["factor"] = 0.7
    names = list(reference_features(frames["T1"], frames["SPX"]).columns)
    got = dict(zip(names, FeatureState(matrix(frames, 260), "SPX").features(np.array([1]))[0].tolist(), strict=True))
    assert got["volatility_20d"] == 0
    assert got["beta_60d"] == 0
    assert np.isnan([got["rsi_14"], got["bollinger_20"]]).all()


def test_no_feature_looks_ahead() -> None:
    frames = random_bars(8, tickers=2, sessions=400)
    whole = FeatureState(matrix(frames, 400), "SPX")
    cut = frames["SPX"].index[380]
    truncated = FeatureState(matrix(before(frames, cut), 380), "SPX")
    grown = FeatureState(matrix(frames, 0), "SPX")
    for day in frames["SPX"].index[:380]:
        feed(grown, frames, day)
    everyone = np.array([0, 1])
    close_to(truncated.features(everyone), grown.features(everyone))
    assert not np.array_equal(whole.features(everyone), truncated.features(everyone))


def test_naming_a_ticker_twice_is_an_error_and_changes_nothing() -> None:
    frames = random_bars(9, tickers=2, sessions=30)
    state = FeatureState(matrix(frames, 30), "SPX")
    untouched = state.features(np.array([0, 1]))
    with pytest.raises(ValueError, match="once"):
        state.update(np.array([1, 1]), np.datetime64("2030-01-02"), *(np.ones(2) for _ in FIELDS))
    np.testing.assert_array_equal(state.features(np.array([0, 1])), untouched)


def test_returns_on_finds_moves_of_closed_and_running_bars() -> None:
    frames = random_bars(10, tickers=2, sessions=50)
    state = FeatureState(matrix(frames, 50), "SPX")
    bars = frames["T1"]
    adjusted = bars["close"] * bars["factor"]
    moves = np.log(adjusted.to_numpy()[1:] / adjusted.to_numpy()[:-1])
    days = bars.index[[-1, -2, -30]].to_numpy().astype("datetime64[D]")
    wanted = np.concatenate([days, [np.datetime64("2009-12-31"), np.datetime64("NaT"), bars.index[0].to_datetime64()]])
    got = state.returns_on(np.array([1]), wanted.astype("datetime64[D]")[None, :])[0]
    np.testing.assert_allclose(got[:3], moves[[-1, -2, -30]], rtol=1e-12)
    assert np.isnan(got[3:]).all()
