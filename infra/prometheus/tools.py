"""Prometheus' programs: this machine's, or Debian's, unpacked without root by `python -m infra.prometheus.tools`."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from riskee.errors import FatalError, RiskeeError
from riskee.settings import load_settings

# By the program's name: Debian's package with it.
PACKAGES: Mapping[str, str] = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "prometheus-redis-exporter": "prometheus-redis-exporter",
    "prometheus-postgres-exporter": "prometheus-postgres-exporter",
}


def folder(home: Path) -> Path:
    """Where `fetch` puts them."""
    return home / "tools" / "prometheus"


def find(name: str, home: Path) -> Path | None:
    """The program on the PATH, or among the fetched ones."""
    found = shutil.which(name) or shutil.which(name, path=str(folder(home) / "usr" / "bin"))
    return Path(found) if found else None


def require(name: str, home: Path) -> Path:
    """The same. Raises FatalError where it is not there."""
    found = find(name, home)
    if found is None:
        raise FatalError(f"{name} is not installed", f"`make tools`, or Debian's package {PACKAGES[name]}")
    return found


def fetch(home: Path) -> None:
    """Unpack Debian's packages, whose signatures apt checks. Raises FatalError where they cannot be had."""
    target = folder(home)
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise FatalError(f"{program} is missing: this is no Debian", "install Prometheus and put it on the PATH")
    packages = target / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    names = sorted(set(PACKAGES.values()))
    done = subprocess.run(["apt-get", "download", *names], cwd=packages, check=False, capture_output=True, text=True)  # noqa: S603, S607
    if done.returncode != 0:
        raise FatalError(f"apt-get cannot download: {done.stderr.strip()[-300:]}", "`apt-get update`, as root")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(target)], check=True)  # noqa: S603, S607
    shutil.rmtree(packages)


if __name__ == "__main__":
    try:
        fetch(load_settings().home.absolute())
    except RiskeeError as error:
        sys.exit(str(error))
