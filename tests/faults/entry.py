"""A service with something changed: `python -m tests.faults.entry SERVICE`, in place of its own entry point.

What is changed the arena writes into the home: `faults.json` before the start, `clock-shift` at any time.
"""

import importlib
import os
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from unittest import mock

import msgspec

from riskee.clock import SystemClock
from riskee.settings import load_settings
from serving.consumers import service
from tests.faults.broken import BROKEN

CHANGES_FILE = "faults.json"
CLOCK_FILE = "clock-shift"


class Change(msgspec.Struct, frozen=True):
    """What is different: servers reached through other ports, a clock that is wrong, a defect put in on purpose."""

    database_port: int | None = None
    nats_port: int | None = None
    redis_port: int | None = None
    shifted: bool = False
    broken: tuple[str, ...] = ()


class ShiftedClock:
    """The machine's clock plus the seconds that a file says, which may change at any moment."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        shift = float(self._file.read_text()) if self._file.exists() else 0.0
        return SystemClock().now() + timedelta(seconds=shift)


def _go_through(home: Path, change: Change) -> None:
    """Reach servers by way of a proxy: the environment wins over the stack's own endpoints."""
    settings = load_settings()
    for variable, url, port in (
        ("RISKEE_NATS__URL", settings.nats.url, change.nats_port),
        ("RISKEE_DATABASE__URL", settings.database.url, change.database_port),
        ("RISKEE_REDIS__URL", settings.redis.url, change.redis_port),
    ):
        if port is not None:
            head, _, tail = url.get_secret_value().rpartition(":")
            os.environ[variable] = f"{head}:{port}" + "".join(tail.partition("/")[1:])


def main(name: str) -> None:
    """Run the service as it would run itself, but for the change."""
    home = Path(os.environ["RISKEE_HOME"])
    change = msgspec.json.decode((home / CHANGES_FILE).read_bytes(), type=dict[str, Change])[name]
    _go_through(home, change)
    for defect in change.broken:
        BROKEN[defect]()
    if change.shifted:
        mock.patch.object(service, "SystemClock", partial(ShiftedClock, home / CLOCK_FILE)).start()
    service.run(name, importlib.import_module(f"serving.consumers.{name}").main)


if __name__ == "__main__":
    main(sys.argv[1])
