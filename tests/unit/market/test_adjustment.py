"""Adjustment factors: what they promise about returns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from riskee.market.adjustment import adjustment_factors, later_splits


def test_a_split_and_a_dividend() -> None:
    close = np.array([100.0, 104.0, 25.0, 24.0])
    factors = adjustment_factors(close, np.array([0, 0, 0, 1.0]), np.array([1, 1, 4.0, 1]), np.ones(4))
    assert factors.tolist() == [(1 - 1 / 25) / 4, (1 - 1 / 25) / 4, 1 - 1 / 25, 1.0]


def test_a_dividend_is_weighed_by_the_last_close_that_is_known() -> None:
    close = np.array([np.nan, 50.0, np.nan, 49.0])
    assert adjustment_factors(close, np.array([0, 7.0, 0, 1.0]), np.ones(4), np.ones(4)).tolist() == [
        0.98,
        0.98,
        0.98,
        1.0,
    ]


def test_a_dividend_of_all_there_was_has_no_positive_factor() -> None:
    assert adjustment_factors(np.array([10.0, 1.0]), np.array([0.0, 10.0]), np.ones(2), np.ones(2))[0] == 0.0


def test_what_one_share_becomes() -> None:
    assert later_splits(np.array([3.0, 1, 4.0, 0.5])).tolist() == [2.0, 2.0, 0.5, 1.0]


@pytest.mark.parametrize("length", [0, 1])
def test_short_histories(length: int) -> None:
    nothing = np.ones(length)
    assert adjustment_factors(nothing, 0 * nothing, nothing, nothing).tolist() == [1.0] * length
    assert later_splits(nothing).tolist() == [1.0] * length


@given(data=st.data(), length=st.integers(2, 30))
def test_adjusted_returns_are_those_of_a_holder_who_reinvests(data: st.DataObject, length: int) -> None:
    """Each dividend buys more of the share at the price before it, less the dividend: CRSP's rule. What is spun off is
    sold, and buys more of what is left.
    """
    shape = (length,)
    close = data.draw(arrays.arrays(float, shape, elements=st.floats(1.0, 1e4)))
    split = data.draw(arrays.arrays(float, shape, elements=st.sampled_from([1.0, 2.0, 0.1, 1.5])))
    share = data.draw(arrays.arrays(float, shape, elements=st.floats(0.0, 0.5)))
    dividend = np.append(0.0, share[1:] * close[:-1] / split[1:])
    left = data.draw(arrays.arrays(float, shape, elements=st.sampled_from([1.0, 0.5, 0.9])))
    adjusted = close * adjustment_factors(close, dividend, split, left)
    reinvested = close[1:] * split[1:] / (1 - share[1:]) / left[1:] / close[:-1]
    np.testing.assert_allclose(adjusted[1:] / adjusted[:-1], reinvested, rtol=1e-9)
