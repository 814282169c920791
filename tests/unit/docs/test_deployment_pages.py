"""The pages on deployment name settings, files and services that exist."""

import re

import pytest

from infra.deployment.identities import POSTGRES_ROLES
from riskee.reference import settings_rows
from tests.conftest import REPOSITORY
from tests.unit.deployment.compose import services

PAGES = ("docs/deployment.md", "docs/threat-model.md", "infra/kubernetes/README.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_settings_and_files_exist(page: str) -> None:
    file = REPOSITORY / page
    text = file.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (file.parent / target).exists(), target
    known = {name for name, _, _ in settings_rows()}
    assert {name.removesuffix("_FILE") for name in re.findall(r"RISKEE_[A-Z_]+[A-Z]", text)} <= known
    for path in re.findall(r"`((?:infra|tests|requirements|docker)[\w/.-]+\.\w+)`", text):
        assert (REPOSITORY / path).exists(), path


def test_the_table_of_services_is_that_of_compose() -> None:
    text = (REPOSITORY / "docs" / "deployment.md").read_text()
    rows = re.findall(r"(?m)^\| (\w+) \| (riskee_\w+) \| ([\d, ]+) \|", text)
    assert len(rows) >= 6
    for name, container, ports in rows:
        published = [port.rpartition("}:")[2].partition(":")[0] for port in services()[name]["ports"]]
        assert (services()[name]["container_name"], published) == (container, ports.split(", ")), name


def test_every_role_is_told_of() -> None:
    text = (REPOSITORY / "docs" / "deployment.md").read_text()
    for role in POSTGRES_ROLES:
        name = role.removeprefix("riskee_")
        assert name == "exporter" or re.search(rf"(?mi)^\| {name} \|", text), role
