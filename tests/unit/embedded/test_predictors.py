"""Several predictors in the embedded stack: a process, a port and a log for each."""

import configparser
from pathlib import Path

import pytest

from infra.embedded.credentials import Credentials
from infra.embedded.files import Home
from infra.embedded.plan import make_plan
from infra.embedded.ports import USUAL_PORTS, allocate, further_predictors
from infra.embedded.postgres import Postgres

CREDENTIALS = Credentials("pg-secret", "valkey-secret", "nats-secret", "supervisor-secret")
THREE = {"RISKEE_PREDICT__PROCESSES": "3"}


def free(port: int) -> int:
    return port


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ()),
        ({"RISKEE_PREDICT__PROCESSES": "1"}, ()),
        (THREE, ("predict-2", "predict-3")),
        ({"RISKEE_PREDICT__PROCESSES": "many"}, ()),
    ],
)
def test_there_are_as_many_as_the_settings_say(environ: dict[str, str], names: tuple[str, ...]) -> None:
    assert further_predictors(environ) == names


def test_each_has_a_port_of_its_own() -> None:
    ports = allocate({}, {}, free, further_predictors(THREE)).ports
    assert (ports["predict"], ports["predict-2"], ports["predict-3"]) == (9102, 9112, 9113)
    assert allocate(ports, {}, free).ports == USUAL_PORTS, "fewer predictors: their ports are forgotten"


def test_a_taken_port_moves_and_is_told() -> None:
    allocation = allocate({}, {}, lambda port: None if port == 9112 else port, further_predictors(THREE))
    assert list(allocation.moved()) == [("predict-2", 9112, 9114)]


def test_the_same_program_runs_under_each_name_and_is_told_its_port(tmp_path: Path) -> None:
    home, ports = Home(tmp_path), allocate({}, {}, free, further_predictors(THREE)).ports
    plan = make_plan(home, Path("/repo"), ports, CREDENTIALS, Postgres(home, Path("/pg/bin")))
    names = [process.name for process in plan.processes]
    assert names[names.index("predict") :][:4] == ["predict", "predict-2", "predict-3", "record"]
    parser = configparser.RawConfigParser()
    parser.read_string(next(text for path, text in plan.files.items() if path.name == "supervisord.conf"))
    first, second = parser["program:predict"], parser["program:predict-2"]
    assert first["command"] == second["command"]
    assert (first["environment"], second["environment"]) == ("", 'RISKEE_METRICS__PREDICT_PORT="9112"')
    assert second["stdout_logfile"].endswith("predict-2.log")
