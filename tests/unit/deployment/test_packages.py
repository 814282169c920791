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


def reported(*fixes: str) -> str:
    known = [{"id": "GHSA-1", "fix_versions": list(fixes), "aliases": ["CVE-1"], "description": "it timed out"}]
    return json.dumps(
        {"dependencies": [{"name": "numpy", "version": "1.0", "vulns": known}, {"name": "x", "skip_reason": "odd"}]}
    )


@pytest.mark.parametrize(
    ("report", "said", "judged", "told"),
    [
        ('{"dependencies": [{"name": "numpy", "version": "2.0", "vulns": []}], "fixes": []}', "", 0, "1 packages"),
        (reported("1.1"), "Found 1 known vulnerability in 1 package", 1, "numpy 1.0 has GHSA-1, fixed in 1.1"),
        (reported(), "Found 1 known vulnerability in 1 package", 0, "not fixed by any version yet"),
        (reported(), "", 0, "x was not looked at: odd"),
        ("", "ERROR: requests.exceptions.ConnectionError: Max retries exceeded", 2, "NOT CHECKED"),
        ("", "ERROR: something else", 1, "something else"),
    ],
)
def test_what_can_be_mended_is_a_failure_and_silence_no_success(
    report: str, said: str, judged: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("runtime", report, said) == judged
    assert told in capsys.readouterr().out


def test_every_lock_of_the_product_is_audited() -> None:
    assert all((ROOT / "requirements" / f"{lock}.txt").exists() for lock in LOCKS)
    locks = (ROOT / "requirements" / f"{lock}.txt" for lock in LOCKS)
    audited = {entry for lock in locks for entry in re.findall(r"(?m)^(\S+==\S+)", lock.read_text())}
    for image in roots():
        assert set(re.findall(r"(?m)^(\S+==\S+)", path_of(image).read_text())) <= audited


def test_ci_audits_as_a_warning_and_makes_the_sboms() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    (audit,) = [line for line in lines if line.startswith("make audit")]
    assert "|| echo" in audit
    assert lines.index("make deployment") < lines.index("make sbom")


@pytest.mark.skipif(CYCLONEDX is None, reason="`make deployment` installs cyclonedx-bom")
@pytest.mark.filterwarnings("ignore")
def test_an_sbom_names_every_locked_package_with_its_hash(tmp_path: Path) -> None:
    bom = json.loads(write_sbom("serving", tmp_path).read_text())
    assert bom["bomFormat"] == "CycloneDX"
    locked = set(re.findall(r"(?m)^([\w-]+)(?:\[.*?\])?==(\S+)", path_of("serving").read_text()))
    named = {(each["name"], each["version"]) for each in bom["components"]}
    assert named == locked
    assert all(each["externalReferences"][0]["hashes"] for each in bom["components"])
