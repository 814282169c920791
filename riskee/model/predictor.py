"""Predictions of many tickers in one call."""

from dataclasses import dataclass

import numpy as np

from riskee.errors import PoisonError
from riskee.features.definitions import feature_set_hash
from riskee.market.bars import Floats
from riskee.model.artifact import UNFIT_REMEDY, ModelArtifact
from riskee.model.booster import lightgbm
from riskee.model.calibration import probability


@dataclass(frozen=True)
class PredictionArrays:
    """One prediction an element. Returns are log returns to the next session's close; prices are raw. Where the
    scale feature is missing (a cold window) every number is NaN."""

    expected_return: Floats
    p_up: Floats
    # The probability of the likelier direction.
    confidence: Floats
    return_p10: Floats
    return_p50: Floats
    return_p90: Floats
    predicted_price: Floats
    price_p10: Floats
    price_p50: Floats
    price_p90: Floats


class Predictor:
    """A loaded model. Raises PoisonError when it cannot predict from this version's features."""

    def __init__(self, artifact: ModelArtifact, threads: int = 1) -> None:
        if artifact.feature_set != feature_set_hash(artifact.model_type):
            raise PoisonError(
                f"model {artifact.version} was trained on other feature definitions ({artifact.feature_set})",
                "train a new model: `riskee models retrain`",
            )
        try:
            self._booster = lightgbm.Booster(model_str=artifact.booster)
        except lightgbm.basic.LightGBMError as error:
            raise PoisonError(f"model {artifact.version} cannot be loaded: {error}", UNFIT_REMEDY) from error
        self.artifact = artifact
        self.version = artifact.version
        self._threads = threads
        self._scale = artifact.features.index(artifact.scale_feature)

    def predict(self, features: Floats, price: Floats) -> PredictionArrays:
        """Predict from features (n, F), in the artifact's order, and current raw prices (n,)."""
        scale = np.where(features[:, self._scale] > 0, features[:, self._scale], np.nan)
        score = np.asarray(self._booster.predict(features, num_threads=self._threads), np.float64)
        p_up = np.where(np.isnan(scale), np.nan, probability(self.artifact.calibration, score))
        residuals = self.artifact.residuals
        returns = [scale * (score + offset) for offset in (0.0, residuals.p10, residuals.p50, residuals.p90)]
        expected, p10, p50, p90 = returns
        return PredictionArrays(
            expected,
            p_up,
            np.maximum(p_up, 1 - p_up),
            p10,
            p50,
            p90,
            *(price * np.exp(move) for move in returns),
        )

    def gains(self) -> dict[str, float]:
        """Each feature's share of the loss that all splits saved."""
        gain = np.asarray(self._booster.feature_importance("gain"), np.float64)
        return dict(zip(self.artifact.features, (gain / max(gain.sum(), 1e-300)).tolist(), strict=True))

    def contributions(self, features: Floats) -> Floats:
        """What each feature added to the expected return of one row (1, F), then the base: (F + 1,), log return.

        They sum to `expected_return`. Costs about two milliseconds.
        """
        shares = np.asarray(self._booster.predict(features, pred_contrib=True, num_threads=self._threads), np.float64)
        row: Floats = shares[0]
        return row * float(features[0, self._scale])
