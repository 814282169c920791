"""Servers for one measurement: with a home of their own, which ends with the command however that ends."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from riskee.cli.runtime import REPO_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from infra.embedded.stack import Stack
    from riskee.settings import Settings

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def servers() -> Iterator[tuple[Stack, Settings]]:
    """The five servers with an empty, migrated database; stopped and deleted at the end.

    They and what they start read RISKEE_HOME, which is theirs for the rest of this process, whose one command this is.
    """
    from infra.embedded.stack import Stack
    from riskee.settings import load_settings
    from riskee.storage.migrations import migrate

    with _ended_by_signals(), tempfile.TemporaryDirectory(prefix="riskee-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # PostgreSQL may run as another user
        stack = Stack(home, REPO_ROOT)
        os.environ["RISKEE_HOME"] = folder
        try:
            stack.start_servers()
            settings = load_settings()
            migrate(settings.database.url, settings)
            yield stack, settings
        finally:
            _ignore_signals()
            stack.stop()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """What would end this process leaves it as an exception: the servers are not its children and would live on."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    received: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        _ignore_signals()
        sys.exit(128 + number)

    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as with nohup
                signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    # Python drops an exception that is raised while it tidies up: then it ends here.
    if received:
        sys.exit(128 + received[0])


def _ignore_signals() -> None:
    """Nobody's impatience may stop the stopping."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
