"""The declarations hold together: subjects, streams, keys, features."""

from datetime import UTC, date, datetime

import pytest

from riskee.errors import FatalError, NotFoundError, PoisonError, RetryableError, RiskeeError
from riskee.features.definitions import EARNINGS_FEATURES, FEATURES, NORMAL_FEATURES, feature_set_hash, features_of
from riskee.messaging.streams import STREAMS, stream_of
from riskee.messaging.subjects import SUBJECTS
from riskee.storage import keys


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_every_subject_is_captured_and_has_a_dead_letter(subject: object) -> None:
    name = str(getattr(subject, "name"))  # noqa: B009 (generic parameter)
    assert stream_of(name) in STREAMS
    assert stream_of(f"dead.{name}").name == "DEAD_LETTER"


@pytest.mark.parametrize(
    ("subject", "stream"),
    [
        ("data.market.quote", "MARKET_DATA"),
        ("job.predict.normal", "ROUTING"),
        ("thought.prediction.explain", "EXPLANATIONS"),
    ],
)
def test_the_owners_subjects_reach_the_owners_streams(subject: str, stream: str) -> None:
    assert stream_of(subject).name == stream


@pytest.mark.parametrize(
    "subject", ["data.market.quote.extra.more", "data.market.status.extra", "nothing.here", "thought"]
)
def test_other_subjects_are_captured_by_no_stream(subject: str) -> None:
    with pytest.raises(KeyError):
        stream_of(subject)


def test_keys_are_the_owners() -> None:
    at = datetime(2012, 9, 4, 20, tzinfo=UTC)
    assert keys.PREDICTION.of(ticker="AAPL") == "pred:AAPL"
    assert keys.PREDICTION.seconds == 300
    assert keys.EXPLANATION.of(ticker="AAPL", ts=at) == "explanation:AAPL:2012-09-04T20:00:00+00:00"
    assert keys.EARNINGS_ANALYSIS.of(ticker="AAPL", date=date(2012, 9, 4)) == "earnings_analysis:AAPL:2012-09-04"


def test_feature_names_are_unique_and_ordered() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)
    assert (*NORMAL_FEATURES,) == EARNINGS_FEATURES[: len(NORMAL_FEATURES)]
    assert features_of("earnings") == EARNINGS_FEATURES
    with pytest.raises(KeyError):
        features_of("other")


def test_the_hash_tells_feature_sets_apart() -> None:
    assert feature_set_hash("normal") != feature_set_hash("earnings")
    assert feature_set_hash("normal") == feature_set_hash("normal")


def test_errors_form_one_tree_and_name_the_next_step() -> None:
    for kind in (RetryableError, PoisonError, NotFoundError, FatalError):
        assert issubclass(kind, RiskeeError)
    error = FatalError("the disk is full", "free 2 GB")
    assert str(error) == "the disk is full — free 2 GB"
    assert str(FatalError("the disk is full")) == "the disk is full"
