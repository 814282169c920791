"""Two predictors under the supervisor: each is a process that status, doctor and settings know."""

import time

import pytest

from riskee.cli.checks import all_checks, run_check
from riskee.settings import Settings, load_settings
from riskee.storage.database import make_engine
from riskee.storage.migrations import migrate
from tests.conftest import running_stack
from tests.integration.live_data import fill

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_two_predictors_run_and_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_PREDICT__PROCESSES", "2")
    with running_stack("riskee-scale-") as stack:
        monkeypatch.setenv("RISKEE_HOME", str(stack.home))
        settings = load_settings()
        migrate(settings.database.url, settings)
        engine = make_engine(settings.database.url, 1)
        with engine.begin() as connection:
            fill(connection)
        engine.dispose()
        stack.start_services(names=["predict", "predict-2"])
        states = {process.name: process.state for process in stack.status()}
        assert (states["predict"], states["predict-2"]) == ("RUNNING", "RUNNING")
        assert stack.ports["predict"] != stack.ports["predict-2"]
        wanted = ("0-of-2", "1-of-2", "undivided", "predictors that live: 2")
        deadline = time.monotonic() + 120
        while not all(unit in (told := _doctor(settings)) for unit in wanted):
            assert time.monotonic() < deadline, told
            time.sleep(0.2)
        assert stack.log_path("predict-2").exists()
        monkeypatch.setenv("RISKEE_PREDICT__PROCESSES", "1")
        stack.start_servers()
        assert "predict-2" not in {process.name for process in stack.status()}


def _doctor(settings: Settings) -> str:
    """What the doctor says of the predictors, which are well."""
    found = {name: run_check((name, check), settings) for name, check in all_checks(settings) if "predict" in name}
    assert {name: finding.state for name, finding in found.items()} == {"predict": "ok", "predict-2": "ok"}
    return " ".join(finding.detail for finding in found.values())
