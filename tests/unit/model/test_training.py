"""Training finds a signal that is there, none where none is, and never looks ahead."""

import dataclasses
from datetime import timedelta

import msgspec
import numpy as np
import pytest

from riskee.errors import PoisonError
from riskee.model.artifact import ModelArtifact, Unreadable
from riskee.model.baselines import baselines
from riskee.model.evidence import MODEL
from riskee.model.predictor import Predictor
from riskee.model.training import Boosted, TrainingResult, train
from riskee.model.walk_forward import FOLDS, GAP_SESSIONS, Method, calibrated, folds, out_of_fold
from riskee.settings import ModelSettings
from tests.unit.model.made_up import SIGNAL, made_up, shuffled

SETTINGS = ModelSettings()


@pytest.fixture(scope="module")
def strong() -> TrainingResult:
    return train(made_up(0.5), SETTINGS)


def test_a_planted_signal_is_found(strong: TrainingResult) -> None:
    ic, hits = strong.metrics["ic"], strong.metrics["hit_rate"]
    assert ic is not None
    assert hits is not None
    assert ic > 0.25
    assert hits > 0.55
    assert strong.decision == "promoted"
    # Zero, last return and climatology are beaten; the truth is linear, so the linear methods are as good.
    assert strong.reason == "first model of its type; not shown to be better than ridge, logistic"
    assert strong.artifact.calibration.slope > 0


def test_the_trained_model_predicts_the_signal(strong: TrainingResult) -> None:
    data = made_up(0.5, seed=1)
    made = Predictor(strong.artifact).predict(data.features, np.full(len(data), 50.0))
    assert np.corrcoef(made.expected_return / data.scale, data.features[:, SIGNAL])[0, 1] > 0.8
    inside = (data.outcome >= made.return_p10) & (data.outcome <= made.return_p90)
    assert 0.77 < inside.mean() < 0.83


def test_shuffled_outcomes_score_nothing_and_the_reason_says_so() -> None:
    scores = []
    for seed in range(4):
        result = train(shuffled(made_up(0.5), seed), SETTINGS)
        scores.append(result.metrics["ic"])
        assert result.reason == (
            "first model of its type; "
            "not shown to be better than zero, last_return, climatology, ridge, logistic, ewma_interval"
        )
    # 864 tested rows each: a correlation of nothing has a deviation of 0.034, their mean of 0.017.
    assert abs(np.mean([score for score in scores if score is not None])) < 0.06


def test_the_same_data_give_the_same_bytes(strong: TrainingResult) -> None:
    again = train(made_up(0.5), SETTINGS)
    assert again.artifact.to_bytes() == strong.artifact.to_bytes()
    assert again == strong
    assert train(made_up(0.5, seed=3), SETTINGS).data_sha256 != strong.data_sha256


def test_what_comes_later_changes_no_earlier_score() -> None:
    """Truncation: what is said of a row stays when all rows from the middle of its fold on are replaced by nonsense."""
    data = made_up(0.3)
    methods: dict[str, Method] = {MODEL: Boosted(), **baselines(data.model_type)}
    whole = out_of_fold(data, methods)
    cut = int(np.median(np.flatnonzero(whole.fold == 2)))
    nonsense = np.arange(len(data)) >= cut
    spoilt = dataclasses.replace(
        data,
        outcome=np.where(nonsense, 0.2, data.outcome),
        features=np.where(nonsense[:, None], np.maximum(np.abs(data.features), 0.01) * 7, data.features),
    )
    other = out_of_fold(spoilt, methods)
    for name in methods:
        np.testing.assert_array_equal(whole.scores[name][:cut], other.scores[name][:cut])
        before, after = (calibrated(one, name, d) for one, d in ((whole, data), (other, spoilt)))
        early = np.flatnonzero(whole.fold > 0) < cut
        np.testing.assert_array_equal(before.p_up[early], after.p_up[early])
        np.testing.assert_array_equal(before.low[early], after.low[early])
    assert not np.array_equal(whole.scores[MODEL], other.scores[MODEL], equal_nan=True)


def test_folds_expand_and_keep_a_gap() -> None:
    data = made_up(0.0)
    before = 0
    tested = np.zeros(len(data), np.int64)
    for train_rows, test_rows in folds(data):
        gap = (data.session[test_rows].min() - data.session[train_rows].max()).astype(int)
        assert gap == GAP_SESSIONS + 1
        assert train_rows.sum() > before
        before = int(train_rows.sum())
        tested += test_rows
    assert tested.max() == 1
    assert tested.sum() == pytest.approx(0.6 * len(data), rel=0.02)


def test_folds_have_equal_numbers_of_rows_where_tickers_come_late() -> None:
    data = made_up(0.0, sessions=400)
    late = (data.ticker == 0) | (data.session > np.datetime64("2010-07-01"))
    rows = [int(test.sum()) for _, test in folds(data.at(late))]
    assert max(rows) < 1.1 * min(rows)


def test_progress_is_told_and_ends_at_one() -> None:
    seen: list[tuple[float, str]] = []
    train(made_up(0.0), SETTINGS, progress=lambda share, step: seen.append((share, step)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(seen) == FOLDS + 4


def test_too_little_history_is_refused_with_its_size() -> None:
    with pytest.raises(PoisonError, match="60 rows in 10 sessions are too few"):
        train(made_up(0.5, sessions=10), SETTINGS)
    with pytest.raises(PoisonError, match="0 rows"):
        train(made_up(0.5).at(np.zeros(1800, bool)), SETTINGS)


def test_the_window_and_the_expiry_are_those_of_the_data(strong: TrainingResult) -> None:
    data, artifact = made_up(0.5), strong.artifact
    assert str(artifact.trained_from) == str(data.session.min())
    assert str(artifact.trained_through) == str(data.outcome_session.max())
    assert artifact.valid_until == artifact.trained_through + timedelta(days=SETTINGS.expires_after_days)


class TestAgainstAChampion:
    """Decisions beside a champion."""

    @staticmethod
    def champion(strength: float, rows: int) -> ModelArtifact:
        return train(made_up(strength).at(np.arange(1800) < rows), SETTINGS).artifact

    def test_the_same_model_again_is_no_news(self, strong: TrainingResult) -> None:
        result = train(made_up(0.5), SETTINGS, strong.artifact)
        assert (result.decision, result.artifact.version) == ("promoted", strong.artifact.version)
        assert (result.against, strong.against) == (strong.artifact.version, None)
        assert result.reason.startswith("the same data gave the champion again")

    def test_too_few_new_sessions_are_no_reason_to_change(self) -> None:
        result = train(made_up(0.5), SETTINGS, self.champion(0.5, 270 * 6))
        assert result.decision == "refused"
        assert "only 29 sessions since the training of normal-" in result.reason

    def test_an_equal_challenger_is_refused(self) -> None:
        result = train(made_up(0.5), SETTINGS, self.champion(0.5, 220 * 6))
        assert result.decision == "refused"
        assert "not shown to be better than the champion" in result.reason

    def test_better_than_the_champion_but_not_than_a_baseline_is_refused(self) -> None:
        ignorant = self.champion(-0.5, 200 * 6)
        result = train(made_up(0.5), SETTINGS, ignorant)
        assert result.decision == "refused"
        assert result.reason == (
            "better than the champion, but not than all baselines; not shown to be better than ridge, logistic"
        )

    def test_an_expired_champion_gives_way(self) -> None:
        old = msgspec.structs.replace(
            self.champion(0.5, 220 * 6), valid_until=made_up(0.5).session[-1].astype(object) - timedelta(days=3)
        )
        result = train(made_up(0.5), SETTINGS, old)
        assert result.decision == "promoted"
        assert "expired on" in result.reason

    def test_a_champion_that_expired_since_the_last_outcome_gives_way(self) -> None:
        old = self.champion(0.5, 220 * 6)
        assert train(made_up(0.5), SETTINGS, old, as_of=old.valid_until).decision == "refused"
        result = train(made_up(0.5), SETTINGS, old, as_of=old.valid_until + timedelta(days=1))
        assert (result.decision, "expired on" in result.reason) == ("promoted", True)

    def test_a_champion_that_has_seen_held_out_sessions_stays_where_a_baseline_is_as_good(self) -> None:
        result = train(made_up(0.5).at(np.arange(1800) < 270 * 6), SETTINGS, self.champion(0.5, 1800))
        assert result.decision == "refused"
        assert "has seen sessions that are held out now, so the baselines decide; not shown" in result.reason

    def test_an_unreadable_champion_gives_way(self) -> None:
        result = train(made_up(0.5), SETTINGS, Unreadable("normal-20121109-5f0c2a91", "it has another digest"))
        assert (result.decision, result.against) == ("promoted", "normal-20121109-5f0c2a91")
        assert result.reason.startswith("the champion normal-20121109-5f0c2a91 is unreadable; not shown")

    def test_a_champion_of_other_features_gives_way(self) -> None:
        old = msgspec.structs.replace(self.champion(0.5, 220 * 6), feature_set="0123456789ab")
        result = train(made_up(0.5), SETTINGS, old)
        assert result.decision == "promoted"
        assert "knows other features" in result.reason
