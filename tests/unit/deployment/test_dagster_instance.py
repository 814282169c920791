"""Dagster's instance in containers is that of the embedded stack, but for addresses and folders."""

from pathlib import Path
from typing import Any

import yaml

from infra.embedded.configuration import dagster_config
from infra.embedded.credentials import Credentials
from infra.embedded.files import Home
from infra.embedded.ports import USUAL_PORTS
from tests.conftest import REPOSITORY
from tests.unit.deployment.compose import environment, services


def instance() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "infra" / "docker" / "dagster.yaml").read_text())
    return loaded


def test_it_differs_in_the_database_and_the_folders_alone() -> None:
    ours, theirs = instance(), yaml.safe_load(dagster_config(Home(Path("/h")), USUAL_PORTS, Credentials(*"abcd")))
    for each in (ours, theirs):
        address = each["storage"]["custom"]["config"]["postgres_db"]
        assert (address.pop("scheme"), address.pop("db_name"), address.pop("port")) == (
            "postgresql+psycopg2",
            "dagster",
            5432,
        )
        del address["username"], address["password"], address["hostname"]
        del each["compute_logs"]["config"], each["local_artifact_storage"]["config"]
    assert ours == theirs


def test_its_variables_and_folders_are_those_of_the_containers() -> None:
    told = environment("dagster-code", {})
    address = instance()["storage"]["custom"]["config"]["postgres_db"]
    assert address["username"] == "dagster"
    assert address["hostname"] == {"env": "DAGSTER_POSTGRES_HOST"}
    assert told["DAGSTER_POSTGRES_HOST"] in services()
    entry = (REPOSITORY / "infra" / "docker" / "dagster-entrypoint.sh").read_text()
    assert f"export {address['password']['env']}" in entry
    assert told["DAGSTER_HOME"] == "/var/lib/riskee/dagster"
    assert instance()["compute_logs"]["config"]["base_dir"].startswith(told["DAGSTER_HOME"])
    assert told["DAGSTER_CODE_SERVER_HOST"] in services()
    assert told["DAGSTER_CODE_SERVER_PORT"] in services()["dagster-code"]["command"]
