"""What is told of the packages: known vulnerabilities, and what is in each image."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from infra.deployment.audit import LOCKS, tell
from infra.deployment.locks import ROOT, path_of, roots
from infra.deployment.sbom import write_sbom

CYCLONEDX = importlib.util.find_spec("cyclonedx_py")


@pytest.mark.parametrize(
    ("returned", "said", "judged"),
    [
        (0, "No known vulnerabilities found", 0),
        (1, "Found 2 known vulnerabilities in 1 package\nnumpy 1.0 GHSA-1 timed out", 1),
        (1, "ERROR: requests.exceptions.ConnectionError: Max retries exceeded", 2),
        (1, "ERROR: something else", 1),
    ],
)
def test_silence_of_the_service_is_no_success(
    returned: int, said: str, judged: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("runtime", returned, said) == judged
    assert ("NOT CHECKED" in capsys.readouterr().out) == (judged == 2)


def test_every_lock_of_the_product_is_audited() -> None:
    assert all((ROOT / "requirements" / f"{lock}.txt").exists() for lock in LOCKS)
    locks = (ROOT / "requirements" / f"{lock}.txt" for lock in LOCKS)
    audited = {entry for lock in locks for entry in re.findall(r"(?m)^(\S+==\S+)", lock.read_text())}
    for image in roots():
        assert set(re.findall(r"(?m)^(\S+==\S+)", path_of(image).read_text())) <= audited


@pytest.mark.skipif(CYCLONEDX is None, reason="`make deployment` installs cyclonedx-bom")
@pytest.mark.filterwarnings("ignore")
def test_an_sbom_names_every_locked_package_with_its_hash(tmp_path: Path) -> None:
    bom = json.loads(write_sbom("serving", tmp_path).read_text())
    assert bom["bomFormat"] == "CycloneDX"
    locked = set(re.findall(r"(?m)^([\w-]+)(?:\[.*?\])?==(\S+)", path_of("serving").read_text()))
    named = {(each["name"], each["version"]) for each in bom["components"]}
    assert named == locked
    assert all(each["externalReferences"][0]["hashes"] for each in bom["components"])
