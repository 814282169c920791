"""The first key of the API on Kubernetes, by the commands of the README."""

import re
from pathlib import Path

import pytest
import typer

from riskee.cli.keys import app
from riskee.settings import load_settings
from tests.unit.deployment import compose
from tests.unit.deployment.planted import plant
from tests.unit.deployment.test_kubernetes import FOLDER, container, of

README = (FOLDER / "README.md").read_text()


def test_it_is_what_compose_has_for_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, told = container("keys"), compose.environment("cli", {})
    assert ours["image"] == compose.services()["cli"]["image"]
    for each in ours["env"]:
        assert told[each["name"]] == each["value"].replace("riskee-db-rw", "timescaledb")
    plant(tmp_path)
    given = of("ConfigMap", "riskee-settings")["data"] | {each["name"]: each["value"] for each in ours["env"]}
    for key, value in given.items():
        monkeypatch.setenv(key, value.replace("/run/secrets", str(tmp_path)))
    pepper = load_settings().api.guard.key_pepper
    assert pepper is not None, "the API would not know a key that was made without"


def test_it_ends_by_itself_and_writes_no_key_into_a_log() -> None:
    job = of("Job", "keys")["spec"]
    assert job["ttlSecondsAfterFinished"] == 60
    command, seconds = container("keys")["command"]
    assert (command, int(seconds)) == ("sleep", 1800)


def test_the_readmes_command_is_whole() -> None:
    (line,) = re.findall(r"kubectl -n riskee exec job/keys -- (.+)", README)
    python, _, module, group, name, *arguments = line.split("#")[0].split()
    assert (python, module, group) == ("/opt/riskee/bin/python", "riskee", "keys")
    command = typer.main.get_command(app)
    context = getattr(command, "commands")[name].make_context(name, arguments)  # noqa: B009 (a group's, to mypy unknown)
    assert context.params["scopes"] == "all"
    assert "kubectl apply -k infra/kubernetes/keys" in README


def test_charts_are_named_where_they_come_from() -> None:
    added = set(re.findall(r"helm repo add (\S+) https://\S+", README))
    assert added == set(re.findall(r"helm install \S+ (\w+)/", README))
