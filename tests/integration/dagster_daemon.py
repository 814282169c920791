"""Dagster as it runs in the product: code server, webserver and daemon on a stack of their own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from infra.embedded.stack import Stack
from riskee.settings import Settings, load_settings
from riskee.storage.database import make_engine
from riskee.storage.migrations import migrate
from tests.conftest import running_stack

LOADING_SECONDS = 300
SERVICES = ("dagster-code", "dagster-webserver", "dagster-daemon")
_LAUNCH = """mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
_LOCATION = {"repositoryLocationName": "riskee", "repositoryName": "__repository__"}
_LOADED = """query Loaded($selector: PipelineSelector!) { pipelineOrError(params: $selector) { __typename } }"""
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dataclass(frozen=True)
class Daemon:
    """A running Dagster with its stack."""

    stack: Stack
    settings: Settings
    instance: dg.DagsterInstance
    engine: Engine

    def launch(self, job: str, tags: dict[str, str] | None = None) -> str:
        """Launch a job as the UI does. Answers the run's id."""
        parameters = {
            "selector": {**_LOCATION, "jobName": job},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]},
        }
        answer = self.ask(_LAUNCH, parameters=parameters)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def loaded(self) -> bool:
        """Whether the webserver, which answers at once, has the definitions of the code server by now."""
        selector = {**_LOCATION, "pipelineName": "maintenance"}
        return bool(self.ask(_LOADED, selector=selector)["pipelineOrError"]["__typename"] == "Pipeline")

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """One question to the webserver."""
        answer = httpx.post(
            f"{self.settings.dagster.url}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer
        return dict(answer["data"])

    def run(self, run_id: str) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def finished(self, run_id: str, seconds: float = 300) -> dg.DagsterRun:
        """The run once it has ended."""
        wait_for(lambda: self.run(run_id).status in FINISHED, seconds)
        return self.run(run_id)


def wait_for(check: Callable[[], Any], seconds: float) -> Any:
    """Ask again and again; fails the test where the answer stays false for so long."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"nothing happened in {seconds} s"
        time.sleep(0.2)
    return found


@contextmanager
def running_daemon(prefix: str) -> Iterator[Daemon]:
    """Start it with an empty, migrated database."""
    with running_stack(prefix) as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISKEE_HOME", str(stack.home))
        patch.setenv("DAGSTER_HOME", str(stack.home / "dagster"))
        settings = load_settings()
        migrate(SecretStr(settings.database.url.get_secret_value()), settings)
        stack.start_services(names=SERVICES)
        engine = make_engine(settings.database.url, 2)
        with dg.DagsterInstance.from_config(str(Path(stack.home) / "dagster")) as instance:
            daemon = Daemon(stack, settings, instance, engine)
            wait_for(daemon.loaded, LOADING_SECONDS)
            yield daemon
        engine.dispose()
