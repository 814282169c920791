"""The installer: what the system lacks."""

import importlib.util
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.embedded import binaries
from riskee.errors import FatalError

INSTALLER = Path(__file__).parents[3] / "infra" / "bootstrap" / "install.py"


@pytest.fixture
def installer() -> dict[str, Any]:
    return runpy.run_path(str(INSTALLER))


def test_openmp_comes_from_the_wheels_where_the_system_has_none(installer: dict[str, Any], tmp_path: Path) -> None:
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    libraries = "scikit_learn.libs"
    shutil.copytree(Path(spec.origin).parents[1] / libraries, tmp_path / libraries)
    installer["provide_openmp"](tmp_path)
    code = f"""
import ctypes, site
site.addsitedir({str(tmp_path)!r})
ctypes.CDLL("libgomp.so.1")
print({{line.split()[-1] for line in open("/proc/self/maps") if "gomp" in line}})
"""
    done = subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str({str(tmp_path / "libgomp.so.1")}), "the system's one was asked for"


def test_without_any_openmp_the_package_to_install_is_named(installer: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="apt install libgomp1"):
        installer["provide_openmp"](tmp_path)


def test_a_server_that_the_wheels_lack_has_a_remedy_that_exists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(FatalError, match=r"brings no nats-server .* make install"):
        binaries.nats_server()
