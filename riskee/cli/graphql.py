"""Asking Dagster's webserver, and following what it runs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from riskee.errors import FatalError, RetryableError

if TYPE_CHECKING:
    from riskee.cli.board import Task

LOCATION = {"repositoryLocationName": "riskee", "repositoryName": "__repository__"}
_ANSWER_SECONDS = 60.0
# What an unloaded code location, or one of another version, does not have.
_ABSENT = frozenset({"PipelineNotFoundError", "PartitionSetNotFoundError", "RepositoryNotFoundError"})


class Graphql:
    """Dagster's webserver."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The one field that a query asks for; the query selects `__typename`, and `message` of an `Error`.

        Raises RetryableError without an answer and while Dagster loads its definitions, FatalError for an error.
        """
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 (from the settings)
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise FatalError(f"Dagster refuses the question: {error.read().decode(errors='replace')}") from error
        except OSError as error:
            raise RetryableError(f"Dagster does not answer at {self.url}: {error}", "`riskee up` starts it") from error
        if found.get("errors"):
            raise FatalError(f"Dagster: {found['errors'][0]['message']}", "`riskee logs dagster-webserver`")
        (field,) = found["data"].values()
        if field["__typename"] in _ABSENT:
            raise RetryableError(
                f"Dagster has not loaded the definitions yet: {field['message']}", "try again in a few seconds"
            )
        if "message" in field:
            raise FatalError(f"Dagster: {field['message'].strip().splitlines()[0]}", "`riskee logs dagster-code`")
        return dict(field)


def show_steps(run: dict[str, Any], task: Task) -> None:
    """Show how far a run is: `stepStats`, `executionPlan` and `status` of it."""
    steps = run["stepStats"]
    total = len(run["executionPlan"]["steps"]) if run["executionPlan"] else 0
    task.advance(sum(step["status"] == "SUCCESS" for step in steps), total)
    task.tell(next((step["stepKey"] for step in steps if step["status"] == "IN_PROGRESS"), run["status"].lower()))
