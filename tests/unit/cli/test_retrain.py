"""`riskee models retrain`, against answers of Dagster that are made up."""

from typing import Any

import pytest

from riskee.cli import retrain
from riskee.errors import FatalError
from tests.unit.cli.test_backfill import Answers, Silent, run

FAILURES = {
    "events": [
        {"__typename": "RunStartEvent"},
        {
            "__typename": "ExecutionStepFailureEvent",
            "stepKey": "model_normal",
            "error": {"message": "StepError\n", "causes": [{"message": "FatalError: the disk is full\n  at line 3\n"}]},
        },
        {"__typename": "RunFailureEvent", "error": {"message": "Steps failed", "causes": []}},
    ],
    "hasMore": False,
    "cursor": "9",
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain, "_POLL_SECONDS", 0)


def group(*runs: dict[str, Any]) -> dict[str, Any]:
    """A run and its repetitions, the newest first, as nothing says in which order Dagster answers."""
    return {"runs": [{"creationTime": -float(number), "tags": [], **one} for number, one in enumerate(runs)]}


def killed(*tags: str) -> dict[str, Any]:
    """A run that the daemon will start again; with `dagster/auto_retry_run_id` it has."""
    given = [{"key": "dagster/will_retry", "value": "true"}, *({"key": tag, "value": "r2"} for tag in tags)]
    return run("FAILURE", runId="r1", tags=given, endTime=None)


def test_a_run_is_followed_to_its_end() -> None:
    task = Silent()
    done = retrain._follow(Answers(group(run("STARTED", runId="r1")), group(run("SUCCESS", runId="r1"))), "r1", task)
    assert (done.run_id, done.seconds) == ("r1", 30)
    assert task.told[:2] == ["1/3", "features_daily"]


def test_a_killed_run_is_followed_to_the_end_of_its_repetition() -> None:
    repetition = run("STARTED", runId="r2")
    answers = Answers(
        group(run("FAILURE", runId="r1")),  # what the daemon will do is not said yet
        group(killed()),
        group(repetition, killed("dagster/auto_retry_run_id")),
        group(repetition | {"status": "SUCCESS"}, killed("dagster/auto_retry_run_id")),
    )
    task = Silent()
    assert retrain._follow(answers, "r1", task).run_id == "r2"
    assert "its worker was killed; the daemon starts it again" in task.told


def test_a_repetition_that_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain, "_SILENCE_SECONDS", -1)
    answers = Answers(group(killed()), FAILURES | {"events": []})
    with pytest.raises(FatalError, match="ended as failure: its worker ended"):
        retrain._follow(answers, "r1", Silent())


def test_a_failed_run_names_its_step_its_cause_and_its_page() -> None:
    failed = group(run("FAILURE", runId="r1"))
    first_page = {"events": FAILURES["events"][:1], "hasMore": True, "cursor": "1"}  # type: ignore[index]
    with pytest.raises(FatalError) as caught:
        retrain._follow(Answers(failed, failed, first_page, FAILURES), "r1", Silent())
    assert caught.value.cause == "the training ended as failure: model_normal: FatalError: the disk is full"
    assert "http://dagster/runs/r1" in caught.value.remedy


def test_a_canceled_run_says_so() -> None:
    with pytest.raises(FatalError, match="ended as canceled"):
        retrain._follow(Answers(group(run("CANCELED", runId="r1"))), "r1", Silent())
