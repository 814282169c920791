"""`riskee models retrain`: train new candidates through Dagster, and follow the run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riskee.cli.console import Json, print_json
from riskee.cli.graphql import LOCATION, Graphql, dagster_of, failure_of, show_steps
from riskee.cli.runtime import read_settings
from riskee.errors import FatalError

if TYPE_CHECKING:
    from riskee.cli.board import Task

JOB = "retrain"
_POLL_SECONDS = 2.0
_LAUNCH = """mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message }
  }
}"""
_GROUP = """query Group($run: ID!) {
  runGroupOrError(runId: $run) {
    __typename
    ... on RunGroup {
      runs {
        runId status creationTime startTime endTime tags { key value }
        stepStats { stepKey status } executionPlan { steps { key } }
      }
    }
    ... on Error { message }
  }
}"""
# Dagster's word that its daemon will start a killed run again, and where it noted which run that is.
_WILL_RETRY, _RETRY = "dagster/will_retry", "dagster/auto_retry_run_id"
# The daemon does so within half a minute of the code server's return.
_SILENCE_SECONDS = 180.0


@dataclass(frozen=True)
class Retraining:
    """A run that trained; `seconds` from its start to its end."""

    run_id: str
    seconds: float


def retrain(json: Json = False) -> None:
    """Train and judge new candidates of both types in Dagster, then list the models."""
    from riskee.cli.board import make_board
    from riskee.cli.models import list_

    graphql = dagster_of(read_settings())
    with make_board(error=json) as board, board.task("Training") as task:
        done = _follow(graphql, _launch(graphql), task)
    if json:
        print_json(done)
    else:
        list_()


def _launch(graphql: Graphql) -> str:
    selector = {**LOCATION, "jobName": JOB}
    return str(graphql.ask(_LAUNCH, parameters={"selector": selector, "runConfigData": {}})["run"]["runId"])


def _follow(graphql: Graphql, run_id: str, task: Task) -> Retraining:
    """Show what is being done until the run, or the daemon's repetition of it, has ended.

    Raises FatalError with the failed step where it did not succeed.
    """
    heard, failed = time.monotonic(), ""
    while True:
        run = _latest(graphql, run_id)
        show_steps(run, task)
        if _is_awaited(run):
            task.tell("its worker was killed; the daemon starts it again")
            if time.monotonic() - heard > _SILENCE_SECONDS:
                break
        elif run["status"] in ("SUCCESS", "CANCELED") or failed == run["runId"]:
            break
        else:
            heard = time.monotonic()
            # Dagster says only just after a failure whether the run is repeated: it is looked at twice.
            failed = run["runId"] if run["status"] == "FAILURE" else ""
        time.sleep(_POLL_SECONDS)
    if run["status"] != "SUCCESS":
        cause = f": {failure_of(graphql, run['runId'])}" if run["status"] == "FAILURE" else ""
        ended = f"the training ended as {run['status'].lower()}{cause}"
        raise FatalError(ended, f"see why: {graphql.url}/runs/{run['runId']}")
    return Retraining(run["runId"], round(run["endTime"] - run["startTime"], 1))


def _latest(graphql: Graphql, run_id: str) -> dict[str, Any]:
    """The newest of a run and of its repetitions."""
    runs: list[dict[str, Any]] = graphql.ask(_GROUP, run=run_id)["runs"]
    return max(runs, key=lambda run: run["creationTime"])


def _is_awaited(run: dict[str, Any]) -> bool:
    """Whether the daemon will start a failed run again, but has not yet."""
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    return run["status"] == "FAILURE" and tags.get(_WILL_RETRY) == "true" and _RETRY not in tags
