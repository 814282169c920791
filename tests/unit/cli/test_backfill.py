"""`riskee backfill` against answers of Dagster that are made up."""

import urllib.error
from datetime import UTC, datetime
from typing import Any

import pytest

from riskee.cli import backfill
from riskee.cli.backfill import _days, _follow, _outcome
from riskee.cli.graphql import Graphql
from riskee.errors import FatalError, PoisonError, RetryableError


class Silent:
    """A task that nobody watches."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, detail: str) -> None:
        self.told.append(detail)

    def advance(self, done: float, total: float, detail: str = "") -> None:
        self.told.append(f"{done:g}/{total:g}")


class Answers(Graphql):
    """Gives these answers, the last one for ever."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        super().__init__("http://dagster")
        self.answers = list(answers)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def run(status: str, **changes: Any) -> dict[str, Any]:
    steps = [{"stepKey": "session_places", "status": "SUCCESS"}, {"stepKey": "features_daily", "status": "IN_PROGRESS"}]
    usual = {"runId": status, "status": status, "startTime": 10.0, "endTime": 40.0, "stepStats": steps}
    return {**usual, "executionPlan": {"steps": [{"key": "a"}, {"key": "b"}, {"key": "c"}]}, **changes}


def state(status: str, *runs: dict[str, Any], error: str | None = None) -> dict[str, Any]:
    return {"status": status, "error": {"message": error} if error else None, "runs": list(runs)}


def test_days_are_those_of_the_range() -> None:
    keys = ["2019-12-31", "2020-01-01", "2020-01-02", "2020-01-03"]
    answer = {"partitionKeysOrError": {"partitionKeys": keys}}
    assert _days(Answers(answer), datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)) == keys[1:3]
    assert _days(Answers(answer), None, None) == keys
    with pytest.raises(PoisonError, match="no business day"):
        _days(Answers(answer), datetime(2021, 1, 1, tzinfo=UTC), None)


def test_progress_is_told_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_POLL_SECONDS", 0)
    task = Silent()
    done = _follow(
        Answers(state("REQUESTED"), state("REQUESTED", run("STARTED")), state("COMPLETED_SUCCESS", run("SUCCESS"))),
        "b1", task,
    )  # fmt: skip
    assert task.told[:2] == ["1/3", "features_daily"]
    assert _outcome("b1", 5, done, 61.04).run_seconds == 30


def test_a_killed_run_that_was_started_again_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_POLL_SECONDS", 0)
    ended = state("COMPLETED_FAILED", run("SUCCESS"), run("FAILURE", endTime=None))
    assert _follow(Answers(ended), "b1", Silent()) == ended


def test_a_failed_backfill_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_POLL_SECONDS", 0)
    with pytest.raises(FatalError, match="the disk is full"):
        _follow(Answers(state("FAILED", error="the disk is full")), "b1", Silent())
    events = [
        {
            "__typename": "ExecutionStepFailureEvent",
            "stepKey": "features_daily",
            "error": {"message": "the step failed", "causes": [{"message": "RetryableError: no database\nmore"}]},
        }
    ]
    logs = {"events": events, "cursor": "1", "hasMore": False}
    with pytest.raises(FatalError, match="completed_failed: features_daily: RetryableError: no database"):
        _follow(Answers(state("COMPLETED_FAILED", run("FAILURE")), logs), "b1", Silent())
    with pytest.raises(FatalError, match="no run of it succeeded"):
        _follow(Answers(state("COMPLETED_FAILED")), "b1", Silent())


def test_a_daemon_that_does_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_POLL_SECONDS", 0)
    monkeypatch.setattr(backfill, "_SILENCE_SECONDS", 0)
    with pytest.raises(FatalError, match="does not take the backfill up"):
        _follow(Answers(state("REQUESTED")), "b1", Silent())


def test_without_dagster_it_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise urllib.error.URLError("refused")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(RetryableError, match="does not answer"):
        Graphql("http://dagster").ask("query")
