"""The images: what goes into them, and that the services need no more."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.deployment.locks import EMBEDDED, LOCK, SERVING, declared, locked_packages, path_of, render
from tests.conftest import REPOSITORY
from tests.unit.deployment import compose
from tests.unit.deployment.lean import lean_environment, refused

IMAGES = ("serving", "dagster")
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent))
COMPOSE_LINT = shutil.which("compose-lint", path=str(Path(sys.executable).parent))


def dockerfile(image: str) -> Path:
    return REPOSITORY / "infra" / "docker" / f"{image}.Dockerfile"


@pytest.mark.parametrize("image", IMAGES)
def test_the_lock_of_an_image_is_cut_out_of_the_runtimes(image: str) -> None:
    assert path_of(image).read_text() == render(image), "run `python -m infra.deployment.locks`"


def test_the_lean_image_has_no_torch_dagster_or_pandas() -> None:
    locked = set(locked_packages(path_of("serving")))
    heavy = {"torch", "pandas", "scikit-learn", "duckdb", "exchange-calendars", "sentence-transformers", *EMBEDDED}
    assert {name for name in locked if name in heavy or name.startswith("dagster")} == set()
    assert set(SERVING) <= locked
    assert set(SERVING) <= set(declared())


def versions_of(lock: Path) -> dict[str, list[str]]:
    return {name: re.findall(r"==(\S+)", entry) for name, entry in locked_packages(lock).items()}


def test_what_an_image_has_besides_is_of_the_runtimes_versions() -> None:
    runtime = versions_of(LOCK)
    for name in ("extras", "cluster"):
        both = {each: found for each, found in versions_of(LOCK.with_name(f"{name}.txt")).items() if each in runtime}
        assert both == {each: runtime[each] for each in both}
    dagster = versions_of(path_of("dagster"))
    assert dagster["dagster-k8s"] == dagster["dagster-postgres"], "Dagster's libraries are of one version"


def test_what_vendors_need_fits_into_dagsters_image() -> None:
    """`VENDORS=1` adds their lock to its own: both must be of one mind, and name all that is needed."""
    image, vendors = versions_of(path_of("dagster")), versions_of(LOCK.with_name("vendors.txt"))
    assert {name: vendors[name] for name in image.keys() & vendors} == {
        name: image[name] for name in image.keys() & vendors
    }
    extra = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]["vendors"]
    assert {canonicalize_name(Requirement(each).name) for each in extra} <= set(vendors)
    assert {"pandas", "requests", "websockets", "protobuf"} <= set(image), "what yfinance and alpaca-py have of it"
    assert "requirements/vendors.txt" in dockerfile("dagster").read_text()


def test_dagsters_image_has_no_torch_and_no_embedded_servers() -> None:
    assert set(locked_packages(path_of("dagster"))).isdisjoint({"torch", *EMBEDDED})


def test_every_command_of_the_lean_image_imports_without_the_rest() -> None:
    """In a process that cannot import what the image lacks; the whole path does so in tests/integration/deployment."""
    commands = [service["command"] for service in compose.services(compose.SERVING).values()]
    modules = [command[2] for command in commands]
    assert {"pandas", "dagster", "sklearn", "riskee_dagster"} <= set(refused())
    assert {"serving.api", "serving.consumers.predict", "infra.deployment.migrate"} <= set(modules)
    code = "; ".join(f"import {module}" for module in (*modules, "infra.deployment.probe"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=lean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_copied_is_there_and_not_ignored(image: str) -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    copied = re.findall(r"(?m)^COPY (?!--from)(\S+) ", dockerfile(image).read_text())
    assert copied
    for source in copied:
        assert (REPOSITORY / source).exists(), source
        assert any(source == each or source.startswith(f"{each}/") for each in allowed), f"{source} is ignored"
    assert not {"secrets", ".env", ".git", ".riskee"} & set(allowed)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_special_on_a_pinned_base(image: str) -> None:
    text = dockerfile(image).read_text()
    assert re.findall(r"(?m)^USER (.*)$", text) == ["10001:10001"]
    bases = re.findall(r"(?m)^FROM (\S+)", text)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-(slim-)?bookworm", base) for base in bases)
    assert version != "3.11" or all(base.startswith("python:3.11.") for base in bases), "the Python that is tested"
    assert f"requirements/{image}.txt" in text
    assert "--require-hashes" in text


def test_a_service_uses_the_image_that_is_built_for_it() -> None:
    for name, service in compose.services("riskee/").items():
        image = service["image"].partition("/")[2].partition(":")[0]
        build = {key: value for key, value in service["build"].items() if key != "args"}
        assert build == {"context": ".", "dockerfile": f"infra/docker/{image}.Dockerfile"}, name
        declared_args = set(re.findall(r"(?m)^ARG (\w+)=", dockerfile(image).read_text()))
        assert set(service["build"].get("args", {})) == declared_args, name


@pytest.mark.skipif(HADOLINT is None, reason="`make deployment` installs hadolint")
@pytest.mark.parametrize("image", IMAGES)
def test_hadolint_finds_nothing(image: str) -> None:
    done = subprocess.run([str(HADOLINT), str(dockerfile(image))], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(COMPOSE_LINT is None, reason="`make deployment` installs compose-lint")
def test_compose_lint_finds_nothing_but_what_is_decided() -> None:
    done = subprocess.run(
        [str(COMPOSE_LINT), str(compose.FILE)], capture_output=True, text=True, check=False, env={"NO_COLOR": "1"}
    )
    found = {(severity, rule) for severity, rule in re.findall(r"(LOW|MEDIUM|HIGH|CRITICAL)\s+(CL-\d+)", done.stdout)}
    # No digests, for no registry could be asked; the job that gives volumes away is root, with CHOWN alone.
    assert found == {("MEDIUM", "CL-0019"), ("MEDIUM", "CL-0018")}
