"""What predict and record show as gauges: the present state, and nothing of one that is over."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import msgspec
import numpy as np
import pytest
from prometheus_client import Gauge

from riskee.messaging.standing import FeedStatus
from riskee.messaging.statuses import Status
from riskee.model.predictor import Predictor
from riskee.storage.condition import Outcomes
from riskee.telemetry import (
    FEED_STATUS,
    MODEL_GAIN,
    MODEL_INFO,
    MODEL_TRAINED_THROUGH,
    OUTCOME_BRIER,
    OUTCOME_COVERAGE,
    OUTCOMES,
    QUOTE_AGE,
)
from serving.consumers import feed_metrics, model_metrics
from serving.consumers.observing import show_outcomes
from tests.unit.model.small import small_artifact

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def samples(metric: Gauge) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for family in metric.collect() for sample in family.samples}


@pytest.fixture(autouse=True)
def _nothing_shown() -> None:
    """Other tests of this process run services, which show themselves."""
    for metric in (FEED_STATUS, MODEL_GAIN, MODEL_INFO, MODEL_TRAINED_THROUGH, QUOTE_AGE):
        metric.clear()


def standing(status: Status = Status.OK, feed: str = "replay/7", slots: Iterable[int] = (1,)) -> FeedStatus:
    return FeedStatus(feed=feed, status=status, since=NOW, slots=tuple(slots))


def test_a_feed_has_one_status_and_no_pass_in_its_name() -> None:
    feed_metrics.show(standing(Status.FEED_MUTE), np.array([1.0]))
    assert samples(FEED_STATUS) == {
        ("replay", "ok"): 0.0,
        ("replay", "feed_mute"): 1.0,
        ("replay", "session_closed"): 0.0,
    }


def test_ages_are_told_by_quantile() -> None:
    feed_metrics.show(standing(), np.arange(101.0))
    assert samples(QUOTE_AGE) == {("0.5",): 50.0, ("0.95",): 95.0, ("1.0",): 100.0}


@pytest.mark.parametrize("silent", [standing(slots=()), standing(feed="")], ids=["in reserve", "no feed yet"])
def test_who_answers_for_nothing_says_nothing(silent: FeedStatus) -> None:
    feed_metrics.show(standing(), np.array([1.0]))
    feed_metrics.show(silent, np.empty(0))
    assert samples(FEED_STATUS) == samples(QUOTE_AGE) == {}


def test_outcomes_give_scores_by_type() -> None:
    show_outcomes([Outcomes("normal", True, True, 3, 0.6, 2), Outcomes("normal", True, False, 1, 0.4, 1)])
    assert samples(OUTCOMES) == {("normal", "up", "up"): 3.0, ("normal", "up", "down"): 1.0}
    assert samples(OUTCOME_BRIER) == {("normal",): 0.25}
    assert samples(OUTCOME_COVERAGE) == {("normal",): 0.75}
    show_outcomes([])
    assert samples(OUTCOMES) == samples(OUTCOME_BRIER) == {}


def test_a_model_takes_the_place_of_the_one_before() -> None:
    first = small_artifact()
    second = msgspec.structs.replace(first, trained_through=date(2013, 1, 2))
    for artifact in (first, second):
        model_metrics.show(Predictor(artifact))
    assert samples(MODEL_INFO) == {("normal", second.version): 1.0}
    assert samples(MODEL_TRAINED_THROUGH) == {("normal",): datetime(2013, 1, 2, tzinfo=UTC).timestamp()}
    gains = {labels[1]: share for labels, share in samples(MODEL_GAIN).items()}
    assert tuple(gains) == first.features
    assert sum(gains.values()) == pytest.approx(1.0)
    assert max(gains, key=lambda name: gains[name]) == first.features[0], "what it learned from"
