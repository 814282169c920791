"""`riskee backfill`: recompute the feature tables of a range of days, as one Dagster backfill, and follow it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from riskee.cli.console import Json, print_json
from riskee.cli.days import FromDay, ToDay
from riskee.cli.days import days as named_days
from riskee.cli.graphql import LOCATION, Graphql, dagster_of, failure_of, first_line, show_steps
from riskee.cli.runtime import read_settings
from riskee.errors import FatalError, PoisonError

if TYPE_CHECKING:
    from datetime import date

    from riskee.cli.board import Task

JOB = "backfill"
_POLL_SECONDS = 2.0
# The daemon looks for new backfills every 30 s.
_SILENCE_SECONDS = 180.0

_KEYS = """query Keys($selector: PipelineSelector!) {
  pipelineOrError(params: $selector) {
    __typename ... on Pipeline { partitionKeysOrError { partitionKeys } } ... on Error { message }
  }
}"""
_LAUNCH = """mutation Launch($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on Error { message }
  }
}"""
_STATE = """query State($backfill: String!) {
  partitionBackfillOrError(backfillId: $backfill) {
    __typename
    ... on PartitionBackfill {
      status error { message }
      runs(limit: 10) { runId status startTime endTime stepStats { stepKey status } executionPlan { steps { key } } }
    }
  }
}"""
_ENDED = frozenset({"COMPLETED_SUCCESS", "COMPLETED_FAILED", "CANCELED", "FAILED", "COMPLETED"})


@dataclass(frozen=True)
class Outcome:
    """What a backfill did. `run_seconds` is the time of its runs, `seconds` that with the daemon's waiting."""

    backfill_id: str
    days: int
    status: str
    run_ids: list[str]
    run_seconds: float
    seconds: float


def backfill(since: FromDay = None, until: ToDay = None, json: Json = False) -> None:
    """Recompute the features of a range of days.

    Dagster does it, as one backfill, then compares all features with the live kernel. Without --from from the first
    day there is, without --to to today.
    """
    from riskee.cli.board import make_board

    first, last = named_days(since, until)
    graphql = dagster_of(read_settings())
    began = time.monotonic()
    with make_board(error=json) as board, board.task("Backfill") as task:
        days = _days(graphql, first, last)
        task.tell(f"{len(days)} days, {days[0]} to {days[-1]}; the daemon takes it up within half a minute")
        backfill_id = _launch(graphql, days)
        state = _follow(graphql, backfill_id, task)
    outcome = _outcome(backfill_id, len(days), state, time.monotonic() - began)
    if json:
        print_json(outcome)
    else:
        typer.echo(
            f"{outcome.days:,} days in {outcome.run_seconds:.0f} s ({outcome.seconds:.0f} s with waiting for the "
            f"daemon): {graphql.url}/runs/b/{backfill_id}"
        )


def _days(graphql: Graphql, since: date | None, until: date | None) -> list[str]:
    """The partitions of the range, in order. Raises PoisonError when there is none."""
    answer = graphql.ask(_KEYS, selector={**LOCATION, "pipelineName": JOB})
    first = f"{since:%Y-%m-%d}" if since else ""
    last = f"{until:%Y-%m-%d}" if until else "9"
    keys = [key for key in answer["partitionKeysOrError"]["partitionKeys"] if first <= key <= last]
    if not keys:
        raise PoisonError(f"there is no business day from {first or 'the first'} to {last}", "widen the range")
    return keys


def _launch(graphql: Graphql, days: list[str]) -> str:
    selector = {"partitionSetName": f"{JOB}_partition_set", "repositorySelector": LOCATION}
    parameters = {"selector": selector, "partitionNames": days, "title": f"{days[0]} to {days[-1]}"}
    return str(graphql.ask(_LAUNCH, parameters=parameters)["backfillId"])


def _follow(graphql: Graphql, backfill_id: str, task: Task) -> dict[str, Any]:
    """Show what is being done until it has ended. Raises FatalError when it failed or nothing happens."""
    heard = time.monotonic()
    while True:
        state = graphql.ask(_STATE, backfill=backfill_id)
        runs = [run for run in state["runs"] if run["status"] != "FAILURE" or len(state["runs"]) == 1]
        if runs:
            heard = time.monotonic()
            show_steps(runs[0], task)
        if state["status"] in _ENDED:
            break
        if time.monotonic() - heard > _SILENCE_SECONDS:
            raise FatalError(
                "Dagster's daemon does not take the backfill up", "`riskee status`; `riskee logs dagster-daemon`"
            )
        time.sleep(_POLL_SECONDS)
    # Dagster counts a backfill as failed whose killed run was started again and succeeded.
    if not _succeeded(state):
        where = f"see why: {graphql.url}/runs/b/{backfill_id}"
        raise FatalError(f"the backfill ended as {state['status'].lower()}: {_cause(graphql, state)}", where)
    return state


def _cause(graphql: Graphql, state: dict[str, Any]) -> str:
    """Why a backfill did not succeed: Dagster's own error, or that of its last run that failed."""
    if state["error"]:
        return first_line(state["error"]["message"])
    failed = [run["runId"] for run in state["runs"] if run["status"] == "FAILURE"]
    return failure_of(graphql, failed[-1]) if failed else "no run of it succeeded"


def _succeeded(state: dict[str, Any]) -> bool:
    return any(run["status"] == "SUCCESS" for run in state["runs"])


def _outcome(backfill_id: str, days: int, state: dict[str, Any], seconds: float) -> Outcome:
    spans = [run["endTime"] - run["startTime"] for run in state["runs"] if run["endTime"] and run["startTime"]]
    return Outcome(
        backfill_id, days, state["status"], [run["runId"] for run in state["runs"]], sum(spans), round(seconds, 1)
    )
