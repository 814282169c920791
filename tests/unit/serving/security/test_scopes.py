"""Every route of the application has its row, and a path finds the row of the route that answers it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute

from riskee.access.grants import ALL_GRANTS, Grant
from riskee.settings import Settings
from serving.api.app import create_app
from serving.api.security import scopes
from serving.api.security.scopes import ROUTES, WEBSOCKET, rule_of, without_row


def walked(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Method and template of all routes. Fails for a kind of route that it does not know: it might hide some."""
    for route in routes:
        if hasattr(route, "effective_route_contexts"):
            yield from walked(route.effective_route_contexts())
        elif isinstance(getattr(route, "original_route", None), WebSocketRoute):
            yield WEBSOCKET, route.starlette_route.path
        elif isinstance(route, WebSocketRoute):
            yield WEBSOCKET, route.path
        elif isinstance(route, Mount):
            yield "GET", f"{route.path}/{{path:path}}"
        else:
            assert isinstance(getattr(route, "original_route", route), Route), f"{route} is of an unknown kind"
            yield from ((method, route.path) for method in route.methods - {"HEAD"})


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, str]]:
    return [*walked(create_app(Settings()).routes)]


def test_every_route_has_one_row(routes: list[tuple[str, str]]) -> None:
    assert len(routes) > 15
    assert {(WEBSOCKET, "/v1/stream"), ("GET", "/dashboard/{path:path}"), ("GET", "/v1/predict/{ticker}")} <= {*routes}
    assert without_row(routes) == [], "add a row to serving/api/security/scopes.py"


def test_no_row_is_of_a_route_that_is_gone(routes: list[tuple[str, str]]) -> None:
    mounts = {template.removesuffix("/{path:path}") for _, template in routes if template.endswith("{path:path}")}
    assert {(rule.method, rule.path) for rule in ROUTES} - {*routes} == {("GET", mount) for mount in mounts} - {*routes}


def test_a_route_without_a_row_is_found() -> None:
    app = create_app(Settings())
    app.add_route("/v1/secret", lambda _request: Response(), methods=["POST"])
    app.router.routes.append(WebSocketRoute("/v1/hidden", Response()))
    app.mount("/files", Response())
    found = without_row(walked(app.routes))
    assert found == [("POST", "/v1/secret"), (WEBSOCKET, "/v1/hidden"), ("GET", "/files/{path:path}")]


def test_a_path_finds_its_own_row(routes: list[tuple[str, str]]) -> None:
    for method, template in routes:
        path = re.sub(r"\{[^}]+\}", "x1", template)
        found = rule_of(method, path)
        assert found is not None
        assert (found.rule.method, found.rule.path, found.exact) == (method, template, True)


def test_head_is_a_get_and_another_method_is_held_to_the_same_scope() -> None:
    assert rule_of("HEAD", "/v1/tickers") == rule_of("GET", "/v1/tickers")
    other = rule_of("DELETE", "/v1/tickers")
    assert other is not None
    assert (other.exact, other.rule.grant) == (False, Grant.PREDICTIONS_READ)
    assert rule_of("GET", "/v1/nothing/here") is None
    assert rule_of("GET", "/v1/predict/AAPL/more") is None


def test_only_what_nobody_can_misuse_is_for_everybody() -> None:
    public = {rule.path.partition("/{")[0] for rule in ROUTES if rule.grant is None}
    assert public == {"/", "/dashboard", "/swagger", "/docs", "/openapi.json", "/health/live", "/health/ready"}


def test_every_scope_opens_something_or_is_asked_for_by_a_route() -> None:
    asked_within = {Grant.PREDICTIONS_COMPUTE}
    assert {rule.grant for rule in ROUTES if rule.grant} | asked_within == ALL_GRANTS


def test_the_document_tells_each_scope() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    assert paths["/v1/predict/{ticker}"]["get"]["security"] == [{"bearer": ["predictions:read"]}]
    assert "security" not in paths["/health/live"]["get"]
    assert {"401", "403", "429"} <= set(paths["/v1/tickers"]["get"]["responses"])


def test_all_tickers_are_remembered() -> None:
    paths = [f"/v1/predict/T{number}" for number in range(5000)]
    for path in paths:
        rule_of("GET", path)
    before = scopes._remembered_rule.cache_info().misses
    for path in paths:
        rule_of("GET", path)
    assert scopes._remembered_rule.cache_info().misses == before


def test_long_paths_are_judged_but_not_remembered() -> None:
    before = scopes._remembered_rule.cache_info().currsize
    found = rule_of("GET", "/v1/predict/" + "A" * 16_000)
    assert found is not None
    assert found.rule.path == "/v1/predict/{ticker}"
    assert scopes._remembered_rule.cache_info().currsize == before
