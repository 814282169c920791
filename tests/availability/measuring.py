"""What a takeover cost: how long nothing was accepted, and what became of what was."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import msgspec

from tests.conftest import REPOSITORY

FILE = REPOSITORY / ".riskee" / "reports" / "availability.json"


class Takeover(msgspec.Struct, frozen=True):
    """Of one fault: what was accepted, what of it was lost, tries that failed and were made again, the longest pause.

    None was asked to be kept where nothing is: a cache may lose everything.
    """

    fault: str
    accepted: int
    lost: int | None
    failed_tries: int
    pause_seconds: float


MEASURED: list[Takeover] = []


@dataclass
class Pauses:
    """The longest time between two successes."""

    failed: int = 0
    longest: float = 0.0
    _last: float = field(default_factory=monotonic)

    def succeeded(self) -> None:
        now = monotonic()
        self.longest, self._last = max(self.longest, now - self._last), now


def table(measured: Sequence[Takeover]) -> list[str]:
    """A line for each."""
    lines = [f"{'fault':<44}{'accepted':>10}{'lost':>6}{'tries failed':>14}{'longest pause':>15}"]
    return lines + [_line(one) for one in measured]


def _line(one: Takeover) -> str:
    lost = "-" if one.lost is None else one.lost
    return f"{one.fault:<44}{one.accepted:>10,}{lost:>6}{one.failed_tries:>14,}{one.pause_seconds:>13.2f} s"


def write(measured: Sequence[Takeover], file: Path) -> None:
    """Keep them as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(list(measured))))
