"""The questions to Dagster, against answers that are made up: whom they are put to, and what a wrong answer becomes."""

import email.message
import http.client
import io
import json
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate

from riskee.cli import backfill, graphql, retrain, runtime
from riskee.cli.graphql import Graphql, dagster_of, failure_of
from riskee.errors import FatalError, RetryableError, RiskeeError
from riskee.settings import ENDPOINTS_FILE, Settings
from tests.unit.cli.test_backfill import Answers


def answering(monkeypatch: pytest.MonkeyPatch, body: bytes) -> Graphql:
    monkeypatch.setattr("urllib.request.urlopen", lambda *_arguments, **_options: io.BytesIO(body))
    return Graphql("http://dagster")


def field(**values: Any) -> bytes:
    return json.dumps({"data": {"one": values}}).encode()


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> RiskeeError:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("urllib.request.urlopen", fail)
    with pytest.raises(RiskeeError) as caught:
        Graphql("http://dagster").ask("query")
    assert caught.value.remedy
    return caught.value


def test_dagster_knows_all_that_is_asked_for() -> None:
    schema = create_schema().graphql_schema
    queries = (backfill._KEYS, backfill._LAUNCH, backfill._STATE, retrain._LAUNCH, retrain._GROUP, graphql._FAILURES)
    assert [error.message for query in queries for error in validate(schema, parse(query))] == []


def test_definitions_that_are_not_loaded_yet_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    body = field(__typename="PipelineNotFoundError", message="Could not find retrain")
    with pytest.raises(RetryableError, match="not loaded the definitions yet"):
        answering(monkeypatch, body).ask("query")


def test_an_error_of_dagster_is_told_by_its_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FatalError, match=r"^Dagster: boom — "):
        answering(monkeypatch, field(__typename="PythonError", message="boom\n  at line 3")).ask("query")


@pytest.mark.parametrize("body", [b"<!doctype html><title>hello</title>", b"[]", b"{}", b"\xff\xfe"])
def test_another_servers_answer_is_no_crash(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    with pytest.raises(FatalError, match="is not Dagster") as caught:
        answering(monkeypatch, body).ask("query")
    assert "riskee status" in caught.value.remedy


@pytest.mark.parametrize(
    ("code", "body", "kind", "said"),
    [
        (400, b'{"errors": [{"message": "Cannot query field x"}]}', FatalError, "answers 400: Cannot query field x"),
        (404, b"<html>\n<p>nothing here", FatalError, "answers 404: <html>"),
        (502, b"", RetryableError, "answers 502: nothing"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, code: int, body: bytes, kind: type[RiskeeError], said: str
) -> None:
    error = urllib.error.HTTPError("http://dagster", code, "no", email.message.Message(), io.BytesIO(body))
    told = failing(monkeypatch, error)
    assert type(told) is kind
    assert told.cause == f"Dagster at http://dagster {said}"


def test_a_broken_connection_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (urllib.error.URLError("refused"), http.client.RemoteDisconnected("closed"), TimeoutError("slow")):
        assert isinstance(failing(monkeypatch, error), RetryableError)


def test_a_run_that_failed_without_a_step_tells_its_own_error() -> None:
    event = {"__typename": "RunFailureEvent", "error": {"message": "no such job\n", "causes": []}}
    assert failure_of(Answers({"events": [event], "hasMore": False, "cursor": "1"}), "r1") == "no such job"


class Stack:
    """An embedded stack that runs or not."""

    def __init__(self, *, running: bool) -> None:
        self.running = running


@pytest.mark.parametrize(
    ("written", "running", "found"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_only_the_stack_of_this_home_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool, running: bool, found: bool
) -> None:
    monkeypatch.setattr(runtime, "embedded_stack", lambda _settings: Stack(running=running))
    if written:
        (tmp_path / ENDPOINTS_FILE).parent.mkdir()
        (tmp_path / ENDPOINTS_FILE).write_text("{}")
    settings = Settings(home=tmp_path)
    if found:
        assert dagster_of(settings).url == settings.dagster.url
        return
    with pytest.raises(FatalError, match="no stack of this home runs") as caught:
        dagster_of(settings)
    assert caught.value.remedy == "`riskee up`"


@pytest.mark.parametrize("command", [["backfill"], ["models", "retrain"]])
def test_in_an_empty_home_both_commands_ask_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    from typer.testing import CliRunner

    from riskee.cli.app import app

    monkeypatch.setenv("RISKEE_HOME", str(tmp_path))
    monkeypatch.setattr(Graphql, "ask", lambda *_arguments, **_options: pytest.fail("another stack was asked"))
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, FatalError) or "no stack of this home runs" in result.output
    assert result.exit_code != 0


def test_where_others_run_the_servers_the_settings_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_PROFILE", "compose")
    assert dagster_of(Settings(home=tmp_path)).url == Settings().dagster.url
