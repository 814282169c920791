"""Where the stack keeps its files, and how it writes them."""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from riskee.errors import FatalError

# A new database, its write-ahead log and the streams need about this much before anything else is stored.
MIN_FREE_BYTES = 500 * 1024 * 1024


@dataclass(frozen=True)
class Home:
    """The folders below RISKEE_HOME that belong to the embedded stack."""

    root: Path

    @property
    def run(self) -> Path:
        """Generated configuration, ports, pids, locks; nothing that cannot be lost."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log a process."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """The servers' data, one folder each."""
        return self.root / "data"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.root / "dagster"

    @property
    def blobs(self) -> Path:
        """Downloaded data sets and weights."""
        return self.root / "blobs"

    def create(self) -> None:
        """Make the folders. Those that only the owner may read are `run` and, inside `data`, each server's own.

        Raises FatalError when the disk is full or the folder cannot be written.
        """
        if "%" in str(self.root):  # supervisord expands it, in log file names even when escaped
            raise FatalError(f"the home {self.root} has a % in its path", "set RISKEE_HOME to a path without it")
        try:
            # Others may pass (not list) the way to data/: PostgreSQL runs as another user when started by root.
            for folder, mode in ((self.root, 0o711), (self.data, 0o711), (self.run, 0o700), (self.logs, 0o700)):
                if not folder.exists():
                    folder.mkdir(parents=True)
                    folder.chmod(mode)
            for folder in (self.dagster, self.blobs):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise write_failed(self.root, error) from error

    def require_space(self) -> None:
        """Raise FatalError when the disk has too little room to start."""
        free = shutil.disk_usage(self.root).free
        if free < MIN_FREE_BYTES:
            raise FatalError(
                f"the disk of {self.root} has {free // 2**20} MB left, {MIN_FREE_BYTES // 2**20} MB are needed",
                "free some space or set RISKEE_HOME to a folder on another disk",
            )


def write_failed(path: Path, error: OSError) -> FatalError:
    """The error to raise when `path` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FatalError(f"the disk of {path} is full", "free some space or set RISKEE_HOME to another disk")
    return FatalError(f"{path} cannot be written: {error.strerror}", "check its owner and mode, or set RISKEE_HOME")


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write `text` so that a reader sees the old or the new file, never a part. Raises FatalError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise write_failed(path, error) from error
