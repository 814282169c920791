"""The versioned paths and the short ones."""

import pytest
from starlette.types import Receive, Scope, Send

from riskee.settings import Settings
from serving.api.app import create_app
from serving.api.paths import Aliases
from serving.api.routes import VERSIONED


@pytest.mark.parametrize(
    ("asked", "kind", "served"),
    [
        ("/predict/AAPL", "http", "/v1/predict/AAPL"),
        ("/predict", "http", "/v1/predict"),
        ("/stream", "websocket", "/v1/stream"),
        ("/v1/predict/AAPL", "http", "/v1/predict/AAPL"),
        ("/predictor", "http", "/predictor"),
        ("/health/live", "http", "/health/live"),
        ("/metrics", "http", "/metrics"),
        ("/v1/metrics", "http", "/v1/metrics"),
        ("/", "http", "/"),
        ("/predict/AAPL", "lifespan", "/predict/AAPL"),
    ],
)
async def test_a_short_path_is_a_name_of_the_versioned_one(asked: str, kind: str, served: str) -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["path"])

    async def nothing(*_: object) -> None:
        raise AssertionError

    asking: Scope = {"type": kind, "path": asked}
    await Aliases(app, VERSIONED)(asking, nothing, nothing)  # type: ignore[arg-type]  # neither is called
    assert seen == [served]


def test_the_document_names_each_route_once() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    assert {path for path in paths if not path.startswith("/v1/")} == {"/health/live", "/health/ready", "/metrics"}
