"""`riskee models retrain` and the questions to Dagster, against answers that are made up."""

import io
import json
from typing import Any

import pytest

from riskee.cli import retrain
from riskee.cli.graphql import Graphql
from riskee.errors import FatalError, RetryableError
from tests.unit.cli.test_backfill import Answers, Silent, run


def answering(monkeypatch: pytest.MonkeyPatch, field: dict[str, Any]) -> Graphql:
    body = json.dumps({"data": {"one": field}}).encode()
    monkeypatch.setattr("urllib.request.urlopen", lambda *_arguments, **_options: io.BytesIO(body))
    return Graphql("http://dagster")


def test_a_run_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain, "_POLL_SECONDS", 0)
    task = Silent()
    done = retrain._follow(Answers(run("STARTED"), run("SUCCESS")), "r1", task)
    assert (done.run_id, done.seconds) == ("r1", 30)
    assert task.told[:2] == ["1/3", "features_daily"]


def test_a_failed_run_names_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain, "_POLL_SECONDS", 0)
    with pytest.raises(FatalError, match="ended as failure") as caught:
        retrain._follow(Answers(run("FAILURE")), "r1", Silent())
    assert "http://dagster/runs/r1" in caught.value.remedy


def test_definitions_that_are_not_loaded_yet_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    graphql = answering(monkeypatch, {"__typename": "PipelineNotFoundError", "message": "Could not find retrain"})
    with pytest.raises(RetryableError, match="not loaded the definitions yet"):
        graphql.ask("query")


def test_an_error_of_dagster_is_told_by_its_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    graphql = answering(monkeypatch, {"__typename": "PythonError", "message": "boom\n  at line 3"})
    with pytest.raises(FatalError, match=r"^Dagster: boom"):
        graphql.ask("query")
