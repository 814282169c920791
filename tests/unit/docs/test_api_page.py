"""The page of the API is what its document says, and names every problem."""

import re
from pathlib import Path

import msgspec
import pytest

from riskee.settings import Settings
from riskee.storage.history import Outcome
from serving.api.answers import FailureAnswer, PredictionAnswer, ProblemAnswer, TickerAnswer
from serving.api.app import create_app
from serving.api.reference import EXAMPLES, PAGE, PROBLEMS, render
from serving.api.routes.features import FeatureAnswer
from serving.api.samples import SAMPLES

API = Path(__file__).parents[3] / "serving" / "api"
_RAISED = re.compile(r'ProblemError\(\s*(?:HTTPStatus\.\w+|status),\s*"(\w+)"')
# Those that Starlette raises, by the name of their status.
_OF_STATUS = {"method_not_allowed"}


def test_the_page_is_written_from_the_document() -> None:
    assert PAGE.read_text() == render(), "run `make docs`"


def test_every_problem_is_described() -> None:
    raised = {kind for path in API.rglob("*.py") for kind in _RAISED.findall(path.read_text())}
    assert raised | _OF_STATUS == set(PROBLEMS)


def test_every_route_of_the_document_is_described_with_its_errors() -> None:
    document = create_app(Settings()).openapi()
    operations = [(path, each) for path, methods in document["paths"].items() for each in methods.values()]
    names = [operation["operationId"] for _, operation in operations]
    assert len(set(names)) == len(names)
    assert set(EXAMPLES) <= set(names)
    for path, operation in operations:
        assert operation["description"], path
        for code, response in operation["responses"].items():
            bodies = response.get("content", {})
            if int(code) >= 400 and path.startswith("/v1/"):
                assert bodies["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/ProblemAnswer"}
        if path.startswith("/v1/"):
            assert {"500", "503"} <= set(operation["responses"]), path


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = create_app(Settings()).openapi()
    for reference in set(re.findall(r"'#/components/(\w+)/([\w-]+)'", str(document))):
        assert reference[1] in document["components"][reference[0]], reference


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("PredictionAnswer", PredictionAnswer),
        ("FailureAnswer", FailureAnswer),
        ("ProblemAnswer", ProblemAnswer),
        ("TickerAnswer", TickerAnswer),
        ("Outcome", Outcome),
        ("FeatureAnswer", FeatureAnswer),
    ],
)
def test_the_samples_of_the_document_are_answers(name: str, kind: type[object]) -> None:
    sample = msgspec.to_builtins(msgspec.convert(SAMPLES[name], kind))
    assert set(sample) <= set(SAMPLES[name])
    assert create_app(Settings()).openapi()["components"]["schemas"][name]["examples"] == [SAMPLES[name]]
