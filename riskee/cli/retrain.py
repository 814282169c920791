"""`riskee models retrain`: train new candidates through Dagster, and follow the run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riskee.cli.console import Json, print_json
from riskee.cli.graphql import LOCATION, Graphql, show_steps
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
_RUN = """query Run($run: ID!) {
  runOrError(runId: $run) {
    __typename
    ... on Run { status startTime endTime stepStats { stepKey status } executionPlan { steps { key } } }
    ... on Error { message }
  }
}"""
_ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})


@dataclass(frozen=True)
class Retraining:
    """A run that trained; `seconds` from its start to its end."""

    run_id: str
    seconds: float


def retrain(json: Json = False) -> None:
    """Train and judge new candidates of both types in Dagster, then list the models."""
    from riskee.cli.board import make_board
    from riskee.cli.models import list_

    graphql = Graphql(read_settings().dagster.url)
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
    """Show what is being done until the run has ended. Raises FatalError where it did not succeed."""
    while True:
        run: dict[str, Any] = graphql.ask(_RUN, run=run_id)
        show_steps(run, task)
        if run["status"] in _ENDED:
            break
        time.sleep(_POLL_SECONDS)
    if run["status"] != "SUCCESS":
        raise FatalError(f"the training ended as {run['status'].lower()}", f"see why: {graphql.url}/runs/{run_id}")
    return Retraining(run_id, round(run["endTime"] - run["startTime"], 1))
