"""Locks on files: the kernel releases them when their holder ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from riskee.errors import FatalError


def try_lock(path: Path) -> int | None:
    """Open and lock the file. Returns its descriptor, or None when another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock, or raise FatalError naming the process that has it."""
    lock = try_lock(path)
    if lock is None:
        raise FatalError(
            f"another command (pid {path.read_text().strip() or 'unknown'}) is starting or stopping this home",
            "wait until it has ended",
        )
    try:
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield
    finally:
        os.close(lock)
