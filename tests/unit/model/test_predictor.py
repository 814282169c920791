"""What a prediction says, and that its parts agree with each other."""

import dataclasses

import msgspec
import numpy as np
import pytest

from riskee.errors import PoisonError
from riskee.model.predictor import Predictor
from tests.unit.model.small import SCALE, features, small_artifact


def test_a_wave_equals_its_rows_one_by_one() -> None:
    """To the last bit: a prediction is made again alone."""
    predictor, inputs, price = Predictor(small_artifact()), features(446, seed=1), np.linspace(10, 500, 446)
    wave = predictor.predict(inputs, price)
    for row in range(446):
        single = predictor.predict(inputs[row : row + 1], price[row : row + 1])
        for field in dataclasses.fields(single):
            assert getattr(single, field.name)[0] == getattr(wave, field.name)[row], field.name


def test_the_interval_is_ordered_and_the_prices_follow_the_returns() -> None:
    price = np.full(50, 100.0)
    made = Predictor(small_artifact()).predict(features(50, seed=2), price)
    assert (made.price_p10 < made.price_p50).all()
    assert (made.price_p50 < made.price_p90).all()
    np.testing.assert_allclose(np.log(made.predicted_price / price), made.expected_return, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(made.confidence, np.where(made.p_up > 0.5, made.p_up, 1 - made.p_up))
    assert ((made.p_up > 0) & (made.p_up < 1)).all()


def test_a_higher_score_means_a_higher_chance() -> None:
    inputs = np.repeat(features(1, seed=3), 2, axis=0)
    inputs[:, 0] = (-2, 2)
    made = Predictor(small_artifact()).predict(inputs, np.full(2, 100.0))
    assert made.expected_return[0] < 0 < made.expected_return[1]
    assert made.p_up[0] < made.p_up[1]


@pytest.mark.parametrize("scale", [np.nan, 0.0])
def test_without_a_volatility_there_is_no_number(scale: float) -> None:
    inputs = features(1, seed=4)
    inputs[0, SCALE] = scale
    made = Predictor(small_artifact()).predict(inputs, np.array([100.0]))
    assert np.isnan([made.expected_return, made.p_up, made.confidence, made.price_p10, made.predicted_price]).all()


def test_contributions_add_up_to_the_expected_return() -> None:
    predictor, inputs = Predictor(small_artifact()), features(1, seed=5)
    shares = predictor.contributions(inputs)
    assert shares.shape == (inputs.shape[1] + 1,)
    np.testing.assert_allclose(shares.sum(), predictor.predict(inputs, np.ones(1)).expected_return[0], rtol=1e-9)
    assert np.abs(shares[:-1]).argmax() == 0


def test_a_model_of_other_feature_definitions_is_refused() -> None:
    with pytest.raises(PoisonError, match="other feature definitions"):
        Predictor(msgspec.structs.replace(small_artifact(), feature_set="0123456789ab"))


def test_a_booster_that_lightgbm_cannot_read_is_refused() -> None:
    with pytest.raises(PoisonError, match="cannot be loaded"):
        Predictor(msgspec.structs.replace(small_artifact(), booster="tree\nversion=v4\ngarbage"))
