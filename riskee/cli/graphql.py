"""Asking Dagster's webserver, and following what it runs."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from riskee.errors import FatalError, RetryableError

if TYPE_CHECKING:
    from riskee.cli.board import Task
    from riskee.settings import Settings

LOCATION = {"repositoryLocationName": "riskee", "repositoryName": "__repository__"}
_ANSWER_SECONDS = 60.0
# What an unloaded code location, or one of another version, does not have.
_ABSENT = frozenset({"PipelineNotFoundError", "PartitionSetNotFoundError", "RepositoryNotFoundError"})
# A proxy before the webserver says so while that starts.
_FIRST_SERVER_ERROR = 500
_LOG = "`riskee logs dagster-webserver`"

_FAILURES = """query Failures($run: ID!, $after: String) {
  logsForRun(runId: $run, afterCursor: $after) {
    __typename
    ... on EventConnection {
      cursor hasMore
      events { __typename ... on ExecutionStepFailureEvent { stepKey error { message causes { message } } }
        ... on RunFailureEvent { error { message causes { message } } } }
    }
    ... on Error { message }
  }
}"""


class Graphql:
    """Dagster's webserver."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The one field that a query asks for; the query selects `__typename`, and `message` of an `Error`.

        Raises RetryableError without an answer and while Dagster loads its definitions, FatalError for an error.
        """
        found = self._post(json.dumps({"query": query, "variables": variables}).encode())
        if found.get("errors"):
            raise FatalError(f"Dagster: {found['errors'][0]['message']}", _LOG)
        (field,) = found["data"].values()
        if field["__typename"] in _ABSENT:
            raise RetryableError(
                f"Dagster has not loaded the definitions yet: {field['message']}", "try again in a few seconds"
            )
        if "message" in field:
            raise FatalError(f"Dagster: {first_line(field['message'])}", "`riskee logs dagster-code`")
        return dict(field)

    def _post(self, body: bytes) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 (from the settings)
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            cause = f"Dagster at {self.url} answers {error.code}: {_said(error.read())}"
            raise (RetryableError if error.code >= _FIRST_SERVER_ERROR else FatalError)(cause, _LOG) from error
        except (OSError, http.client.HTTPException) as error:
            raise RetryableError(f"Dagster does not answer at {self.url}: {error}", "`riskee up` starts it") from error
        except ValueError as error:
            raise _other_server(self.url) from error
        if not isinstance(found, dict) or not ({"data", "errors"} & found.keys()):
            raise _other_server(self.url)
        return found


def dagster_of(settings: Settings) -> Graphql:
    """The webserver of this installation. Raises FatalError where the embedded stack of this home does not run.

    Without this the default address would be asked, where the stack of another home may listen.
    """
    from riskee.settings import ENDPOINTS_FILE

    if settings.profile == "embedded":
        from riskee.cli.runtime import embedded_stack

        if not ((settings.home / ENDPOINTS_FILE).exists() and embedded_stack(settings).running):
            raise FatalError("no stack of this home runs", "`riskee up`")
    return Graphql(settings.dagster.url)


def _other_server(url: str) -> FatalError:
    return FatalError(f"what answers at {url} is not Dagster", "see RISKEE_DAGSTER__URL and `riskee status`")


def _said(body: bytes) -> str:
    """What an answer that is an error says: the messages of GraphQL, or the first line."""
    text = body.decode(errors="replace")
    try:
        return "; ".join(str(one["message"]) for one in json.loads(text)["errors"])
    except (ValueError, KeyError, TypeError):
        return first_line(text)


def first_line(text: str) -> str:
    """The first line that says anything."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "nothing")


def failure_of(graphql: Graphql, run_id: str) -> str:
    """The first step of a run that failed and its error's first line; that of the run where no step did."""
    after: str | None = None
    of_run = "its worker ended"
    while True:
        answer = graphql.ask(_FAILURES, run=run_id, after=after)
        for event in answer["events"]:
            if event.get("error"):
                # The outer errors only say which step failed.
                messages = [event["error"]["message"], *(one["message"] for one in event["error"]["causes"])]
                if event["__typename"] == "ExecutionStepFailureEvent":
                    return f"{event['stepKey']}: {first_line(messages[-1])}"
                of_run = first_line(messages[-1])
        if not answer["hasMore"]:
            return of_run
        after = answer["cursor"]


def show_steps(run: dict[str, Any], task: Task) -> None:
    """Show how far a run is: `stepStats`, `executionPlan` and `status` of it."""
    steps = run["stepStats"]
    total = len(run["executionPlan"]["steps"]) if run["executionPlan"] else 0
    task.advance(sum(step["status"] == "SUCCESS" for step in steps), total)
    task.tell(next((step["stepKey"] for step in steps if step["status"] == "IN_PROGRESS"), run["status"].lower()))
