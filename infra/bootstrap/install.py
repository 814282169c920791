"""Make `.venv` and install the locked dependencies and the project into it: `install.py runtime|dev`.

Runs on a bare Python (standard library only, and old syntax: an old Python must get as far as the message that it is
too old). A stamp in the environment makes the next call return at once while locks, project and place are the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "riskee-installed.txt"
PIP = Path(__file__).parent / "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
OLDEST, NEWEST = (3, 11), (3, 13)
NEEDED_MB = 2500
OPENMP = "libgomp.so.1"


def fail(cause: str, remedy: str) -> NoReturn:
    """Say what is wrong and what to do, and end."""
    sys.exit(f"\ninstall: {cause}\n         {remedy}")


def suitable_python() -> str:
    """This Python, or another on the PATH when this one is too old or too new."""
    candidates = [sys.executable, *(shutil.which(f"python3.{minor}") for minor in (12, 13, 11))]
    for candidate in filter(None, candidates):
        if OLDEST <= version_of(candidate) <= NEWEST:
            return candidate
    fail(
        f"Python 3.11, 3.12 or 3.13 is needed; {sys.executable} is {platform.python_version()}",
        "install one (Debian, Ubuntu: apt install python3.11) and, if needed, name it: make up PYTHON=python3.11",
    )


def version_of(python: str) -> tuple[int, ...]:
    """Major and minor version of an interpreter; (0,) when it does not run."""
    try:
        output = subprocess.check_output(
            [python, "-c", "import sys; print(*sys.version_info[:2])"], stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    return tuple(map(int, output.split()))


def fingerprint(extent: str) -> str:
    """Changes with the lock, the project's metadata and this installer."""
    content = hashlib.sha256()
    inputs = [ROOT / "requirements" / f"{extent}.txt", ROOT / "requirements" / "build.txt", ROOT / "pyproject.toml"]
    for file in [*inputs, Path(__file__)]:
        content.update(file.read_bytes())
    return f"{extent} {content.hexdigest()}"


def write_stamp(state: str) -> None:
    """Note what the environment holds and for which checkout it was made: scripts in it name that path."""
    STAMP.write_text(f"{state}\n{ROOT}\n")


def read_stamp() -> tuple[str, str]:
    """What `write_stamp` noted; an environment without a stamp is taken for one of this checkout."""
    if not STAMP.exists():
        return "", str(ROOT)
    state, place = STAMP.read_text().splitlines()
    return state, place


def installed(extent: str) -> bool:
    """Whether the environment is complete. The development set contains the runtime set."""
    state, place = read_stamp()
    complete = place == str(ROOT) and state in {fingerprint(extent), fingerprint("dev")}
    return complete and version_of(str(PYTHON)) >= OLDEST


def check_machine() -> None:
    """End with a message where the installation cannot work."""
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}:
        fail(
            f"the embedded servers have no packages for {platform.system()} {platform.machine()}",
            "use Linux on x86-64 or arm64; elsewhere a virtual machine or a container with it (Windows: WSL 2)",
        )
    free = shutil.disk_usage(ROOT).free // 2**20
    if free < NEEDED_MB:
        fail(f"{free} MB are free on the disk of {ROOT}, {NEEDED_MB} MB are needed", "free some space")
    for program in ("setpriv", "unshare"):
        if shutil.which(program) is None:
            fail(f"{program} is missing", "install it (Debian, Ubuntu: apt install util-linux)")
    if hashlib.sha256(PIP.read_bytes()).hexdigest() != PIP_SHA256:
        fail(f"{PIP} is damaged", "get it again: git checkout infra/bootstrap")


def make_environment() -> None:
    """Make the environment anew unless a working one of this checkout is there."""
    _, place = read_stamp()
    if place == str(ROOT) and OLDEST <= version_of(str(PYTHON)) <= NEWEST:
        return
    python = suitable_python()
    command = [python, "-m", "venv", "--without-pip", "--clear", str(VENV)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode != 0:
        fail(f"{python} cannot make a virtual environment: {made.stderr.strip()}", "install Python completely")


def pip(what: str, expected: int, *arguments: str) -> None:
    """Run the bundled pip; show one line of progress instead of its output."""
    environ = {k: v for k, v in os.environ.items() if k not in {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONPATH"}}
    environ.update(PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PIP_REQUIRE_VIRTUALENV="0")
    command = [str(PYTHON), str(PIP / "pip"), "install", "--no-deps", "--no-compile", "--progress-bar=off", *arguments]
    output = []
    started, collected = time.monotonic(), 0
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            output.append(line)
            if line.startswith("Collecting "):
                collected += 1
                show(f"{what}: {collected} of {expected}, {line.split()[1].split('==')[0]}")
            elif line.startswith("Installing collected"):
                show(f"{what}: unpacking {expected} packages")
    if process.returncode != 0:
        explain("".join(output))
    show(f"{what}: done in {time.monotonic() - started:.0f} s", end="\n")


def show(text: str, end: str = "") -> None:
    """Overwrite the line on a terminal; elsewhere print only what is final."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end=end, flush=True)
    elif end:
        print(text, flush=True)


def explain(output: str) -> None:
    """End with what pip's failure means."""
    tail = "\n".join(line for line in output.splitlines() if "ERROR" in line or "rror:" in line)[-1500:]
    if "No space left on device" in output:
        fail("the disk is full", f"free some space: about {NEEDED_MB} MB are needed")
    if re.search("Connection|Max retries|resolve|timed out|Retrying", output):
        fail(f"the package index cannot be reached:\n{tail}", "check the network, or PIP_INDEX_URL if you use a mirror")
    if "No matching distribution" in output:
        system = f"Python {'.'.join(map(str, version_of(str(PYTHON))))} on {platform.machine()}"
        fail(
            f"the package index has no wheel for {system}, or does not answer:\n{tail}",
            "use Python 3.11, 3.12 or 3.13 on Linux x86-64 or arm64 with glibc, and check the network",
        )
    fail(f"pip failed:\n{tail or output[-1500:]}", "mend the cause and run it again")


def has_openmp() -> bool:
    """Whether the environment's Python finds the OpenMP library that the wheels of lightgbm and xllamacpp expect."""
    command = [str(PYTHON), "-c", f"import ctypes; ctypes.CDLL('{OPENMP}')"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def provide_openmp(packages: Path) -> None:
    """Let every Python of the environment load scikit-learn's OpenMP library at its start, under the usual name.

    The loader takes a library that is there already when it bears the wanted name inside, so the name is put back that
    the packaging of scikit-learn's wheel has replaced by a longer one.
    """
    bundled = next(packages.glob("scikit_learn.libs/libgomp-*.so*"), None)
    if bundled is None:
        fail(f"the system has no {OPENMP}", "install it (Debian, Ubuntu: apt install libgomp1)")
    name = bundled.name.encode() + b"\0"
    library = packages / OPENMP
    library.write_bytes(bundled.read_bytes().replace(name, OPENMP.encode().ljust(len(name), b"\0")))
    (packages / "riskee-openmp.pth").write_text(f"import ctypes; ctypes.CDLL({str(library)!r})\n")


def install(extent: str) -> None:
    """Bring the environment to the lock."""
    check_machine()
    make_environment()
    write_stamp("incomplete")
    lock = ROOT / "requirements" / f"{extent}.txt"
    packages = len(re.findall(r"^\S+==", lock.read_text(), re.MULTILINE))
    pip("Installing pip", 1, "--no-index", str(PIP))
    locked = ("--require-hashes", "--only-binary=:all:", "-r")
    pip("Installing build tools", 1, *locked, str(ROOT / "requirements" / "build.txt"))
    pip(f"Installing {packages} locked packages", packages, *locked, str(lock))
    pip("Installing riskee", 1, "--no-build-isolation", "--no-index", "--editable", str(ROOT))
    if not has_openmp():
        provide_openmp(next(VENV.glob("lib/python3.*/site-packages")))
    write_stamp(fingerprint(extent))


def main() -> None:
    """Install unless it is done; one installation of a checkout at a time."""
    extent = sys.argv[1]
    if installed(extent):
        return
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed(extent):
            install(extent)


if __name__ == "__main__":
    main()
