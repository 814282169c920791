"""What the API says: status, problems, and its document."""

import json
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest

from riskee.errors import FatalError, NotFoundError, PoisonError, RetryableError, RiskeeError
from riskee.messaging.messages import Flag, PredictionFailed
from riskee.messaging.statuses import Status
from riskee.settings import Settings
from serving.api.answers import failure_answer, prediction_answer
from serving.api.app import create_app
from serving.api.problems import problem_of
from serving.api.standing import judged
from serving.health import Health, HealthServer
from tests.unit.messaging import samples

OPENAPI = Path(__file__).parents[2] / "golden" / "openapi.json"


@pytest.mark.parametrize(
    ("flags", "status", "session"),
    [
        ((), "ok", "closed"),
        ((Flag.REPLAY, Flag.PROVISIONAL_BAR), "ok", "open"),
        ((Flag.COLD_WINDOW,), "cold_window", "closed"),
        ((Flag.COLD_WINDOW, Flag.MODEL_EXPIRED), "model_expired", "closed"),
        ((Flag.MODEL_EXPIRED, Flag.STALE), "stale", "closed"),
    ],
)
def test_the_status_is_the_gravest_flag(flags: tuple[Flag, ...], status: str, session: str) -> None:
    answer = prediction_answer(judged(msgspec.structs.replace(samples.PREDICTION, flags=flags), []))
    assert (answer.status, answer.session, answer.flags) == (status, session, flags)
    assert answer.p_up == samples.PREDICTION.p_up


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_every_failure_has_a_next_step(status: Status) -> None:
    failed = PredictionFailed(ticker="X", feed="", data_time=samples.NOW, status=status, reason="because")
    assert failure_answer(failed).next_step


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("a", "b"), HTTPStatus.NOT_FOUND),
        (PoisonError("a", "b"), HTTPStatus.UNPROCESSABLE_ENTITY),
        (RetryableError("a", "b"), HTTPStatus.SERVICE_UNAVAILABLE),
    ],
)
def test_the_products_errors_become_problems(error: RiskeeError, status: HTTPStatus) -> None:
    body = problem_of(error).body()
    assert (body["status"], body["detail"], body["next_step"]) == (status, "a", "b")


@pytest.mark.parametrize(
    "error", [FatalError("/etc/secret is away"), RetryableError("the database does not answer: user=secret host=db7")]
)
def test_particulars_stay_in_the_log(error: RiskeeError) -> None:
    body = problem_of(error).body()
    assert body["detail"] in {"the database does not answer", "the request met a defect of the API"}
    assert "secret" not in str(body)


def test_the_openapi_document_is_its_golden_file() -> None:
    """After a wanted change: `python -m tests.unit.serving.write_openapi`."""
    document = json.loads(json.dumps(create_app(Settings()).openapi()))
    assert document == json.loads(OPENAPI.read_text())


def test_the_document_tells_what_is_answered() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    answered = paths["/v1/tickers"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answered == {"type": "array", "items": {"$ref": "#/components/schemas/TickerAnswer"}}
    assert set(paths["/health/ready"]["get"]["responses"]) == {"200", "503"}


def test_health_pages() -> None:
    health = Health("predict")
    server = HealthServer(health)
    assert server._page("/health/live")[0] == 200
    assert server._page("/health/ready")[0] == 200
    health.down("database", "away")
    code, kind, body = server._page("/health/ready?verbose")
    assert (code, kind) == (503, "application/json")
    assert json.loads(body)["dependencies"] == {"database": "away"}
    health.up("database")
    assert server._page("/health/ready")[0] == 200
    assert b"riskee_dependency_up" in server._page("/metrics")[2]
    assert server._page("/elsewhere")[0] == 404
