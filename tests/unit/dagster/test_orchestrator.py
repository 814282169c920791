"""Whether Dagster works, from what its webserver answers."""

import io
import json
import urllib.error
import urllib.request
from typing import Any

import graphql
import pytest
from dagster_graphql.schema import create_schema

from serving.consumers.orchestrator import PARTS, QUERY, parts_up

NOW = 1_767_600_000.0
ALL, NONE = dict.fromkeys(PARTS, True), dict.fromkeys(PARTS, False)
LOADED = {"locationOrLoadError": {"__typename": "RepositoryLocation"}}
BROKEN = {"locationOrLoadError": {"__typename": "PythonError"}}


def daemon(age: float | None, *, healthy: bool = True, required: bool = True) -> dict[str, Any]:
    sign = None if age is None else NOW - age
    return {"required": required, "healthy": healthy, "lastHeartbeatTime": sign}


def answer(daemons: list[dict[str, Any]], locations: list[dict[str, Any]]) -> bytes:
    health = {"daemonHealth": {"allDaemonStatuses": daemons}}
    return json.dumps({"data": {"instance": health, "workspaceOrError": {"locationEntries": locations}}}).encode()


def test_dagster_knows_what_it_is_asked() -> None:
    schema = create_schema().graphql_schema
    assert graphql.validate(schema, graphql.parse(QUERY)) == []
    assert graphql.validate(schema, graphql.parse(QUERY.replace("healthy", "well"))) != []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (answer([daemon(31), daemon(290)], [LOADED]), ALL),
        (answer([daemon(31), daemon(None, healthy=False, required=False)], [LOADED]), ALL),
        (answer([daemon(301), daemon(400)], [LOADED]), ALL | {"daemon": False}),
        (answer([daemon(31), daemon(2000, healthy=False)], [LOADED]), ALL | {"daemon": False}),
        (answer([], [LOADED]), ALL | {"daemon": False}),
        (answer([daemon(31)], [LOADED, BROKEN]), ALL | {"code": False}),
        (answer([daemon(31)], [{"locationOrLoadError": None}]), ALL | {"code": False}),
        (answer([daemon(31)], []), ALL | {"code": False}),
        (b'{"data": null, "errors": [{"message": "no such field"}]}', NONE),
        (b'{"data": {"instance": null}}', NONE),
        (b'{"data": {"instance": {"daemonHealth": {"allDaemonStatuses": []}}, "workspaceOrError": {}}}', NONE),
        (b"[]", NONE),
        (b"<html>another server</html>", NONE),
    ],
)
def test_each_part_is_judged_by_the_answer(body: bytes, told: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[urllib.request.Request] = []

    def urlopen(request: urllib.request.Request, **_limits: float) -> io.BytesIO:
        asked.append(request)
        return io.BytesIO(body)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert parts_up("http://dagster:3000", NOW) == told
    (request,) = asked
    assert (request.full_url, request.get_method()) == ("http://dagster:3000/graphql", "POST")
    assert json.loads(bytes(request.data or b"")) == {"query": QUERY}  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [urllib.error.URLError("refused"), TimeoutError("timed out"), ConnectionResetError()])
def test_who_does_not_answer_does_not_work(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*_given: object, **_limits: float) -> io.BytesIO:
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert parts_up("http://dagster:3000", NOW) == NONE
