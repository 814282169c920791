"""Writes the golden OpenAPI document: `python -m tests.unit.serving.write_openapi`."""

import json

from riskee.settings import Settings
from serving.api.app import create_app
from tests.unit.serving.test_answers import OPENAPI

if __name__ == "__main__":
    OPENAPI.write_text(json.dumps(create_app(Settings()).openapi(), indent=2, sort_keys=True) + "\n")
