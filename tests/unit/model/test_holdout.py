"""The holdout stays sealed until the decision, and is opened once."""

import dataclasses
from datetime import date
from typing import Any

import numpy as np
import pytest

from riskee.model import training
from riskee.model.dataset import TrainingSet
from riskee.model.holdout import split
from riskee.model.predictor import Predictor
from riskee.model.training import Past, TrainingResult, train
from riskee.model.walk_forward import GAP_SESSIONS, folds
from riskee.settings import ModelSettings
from tests.unit.model.made_up import made_up

SEALED_FROM = date(2010, 9, 1)
SETTINGS = ModelSettings()


def sealed_training(data: TrainingSet, past: Past | None = None) -> TrainingResult:
    return train(data, SETTINGS, holdout_from=SEALED_FROM, past=past)


@pytest.fixture(scope="module")
def result() -> TrainingResult:
    return sealed_training(made_up(0.5))


def test_what_is_sealed_changes_nothing_but_its_own_measures(result: TrainingResult) -> None:
    data = made_up(0.5)
    sealed = data.session >= np.datetime64(SEALED_FROM)
    spoilt = dataclasses.replace(
        data,
        outcome=np.where(sealed, -data.outcome, data.outcome),
        features=np.where(sealed[:, None], np.abs(data.features), data.features),
        market_trend=np.where(sealed, 9.0, data.market_trend),
    )
    other = sealed_training(spoilt)
    assert other.artifact.to_bytes() == result.artifact.to_bytes()
    assert (other.decision, other.reason, other.metrics) == (result.decision, result.reason, result.metrics)
    assert dataclasses.replace(other.evaluation, holdout=None) == dataclasses.replace(result.evaluation, holdout=None)
    assert other.evaluation.holdout != result.evaluation.holdout
    assert other.data_sha256 != result.data_sha256


def test_the_holdout_is_opened_once_and_after_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def noted(name: str) -> Any:
        whole = getattr(training, name)

        def call(*arguments: Any) -> Any:
            order.append(name)
            return whole(*arguments)

        return call

    for name in ("decide", "open_holdout"):
        monkeypatch.setattr(training, name, noted(name))
    sealed_training(made_up(0.5))
    assert order == ["decide", "open_holdout"]


def test_the_registered_model_is_the_one_that_is_scored(result: TrainingResult) -> None:
    data, holdout = made_up(0.5), result.evaluation.holdout
    assert holdout is not None
    sealed = data.at(data.session >= np.datetime64(SEALED_FROM))
    said = Predictor(result.artifact).predict(sealed.features, np.ones(len(sealed)))
    measures = holdout.methods["model"]
    assert measures.rows == len(sealed)
    assert measures.brier == pytest.approx(np.square(said.p_up - (sealed.outcome > 0)).mean(), abs=1e-6)
    inside = (sealed.outcome >= said.return_p10) & (sealed.outcome <= said.return_p90)
    assert measures.coverage_80 is not None
    assert measures.coverage_80.value == pytest.approx(inside.mean(), abs=1e-6)
    assert set(holdout.methods) == set(result.evaluation.walk_forward.methods)
    assert (holdout.first, str(holdout.last)) == (SEALED_FROM, str(data.session.max()))


def test_earlier_trials_are_counted() -> None:
    made = sealed_training(made_up(0.0), Past(trials=4, opened=2))
    assert made.evaluation.holdout is not None
    assert (made.trials, made.evaluation.holdout.opened) == (5, 3)


def test_what_is_developed_on_is_known_a_week_before_the_first_sealed_session(result: TrainingResult) -> None:
    parts = split(made_up(0.5), SEALED_FROM)
    assert parts.sealed.place.min() - parts.development.place.max() == GAP_SESSIONS + 1
    assert str(parts.development.outcome_session.max()) == str(result.artifact.trained_through)
    # It may predict as long as any model that knew of the same sessions.
    known_through = made_up(0.5).outcome_session.max().item()
    assert (result.artifact.valid_until - known_through).days == SETTINGS.expires_after_days


def test_gaps_count_the_exchange_s_sessions_also_where_rows_are_few() -> None:
    """As of a model that learns from two sessions in five: the gap is a week of trading, not of rows."""
    whole = made_up(0.0, sessions=900)
    few = whole.at(whole.place % 5 < 2)
    gaps = [int(few.place[test].min() - few.place[train].max()) for train, test in folds(few)]
    parts = split(few, date(2012, 1, 1))
    gaps.append(int(parts.sealed.place.min() - parts.development.place.max()))
    # At least a week; at most the sessions without rows more.
    assert all(GAP_SESSIONS < gap <= GAP_SESSIONS + 4 for gap in gaps), gaps


def test_without_a_holdout_all_rows_are_learned_from() -> None:
    made = train(made_up(0.5), SETTINGS)
    assert made.evaluation.holdout is None
    assert str(made.artifact.trained_through) == str(made_up(0.5).outcome_session.max())
