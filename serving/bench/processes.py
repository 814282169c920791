"""What processes take of the processors and of the memory, from /proc."""

import os
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (the state) on; none of a process that has ended."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    try:
        return [int(each) for each in (_PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_seconds(pid: int) -> float:
    """Seconds of a processor that a process and those below it have taken, the ended ones too."""
    fields = _stat(pid)
    own = sum(map(int, fields[11:15])) / _TICKS if fields else 0.0
    return own + sum(map(cpu_seconds, children_of(pid)))


def parent_of(pid: int) -> int:
    """The process that has started a process, or that took it over. Raises IndexError where it has ended."""
    return int(_stat(pid)[1])


def busy_seconds() -> float:
    """Seconds that all processors of this machine have been busy since it started, for whomever."""
    fields = list(map(int, (_PROC / "stat").read_text().splitlines()[0].split()[1:9]))
    idle, waiting = fields[3:5]
    return (sum(fields) - idle - waiting) / _TICKS


def started_at(pid: int) -> float:
    """When a process was started, as a Unix time; right to 10 ms. Raises IndexError where it has ended."""
    uptime = float((_PROC / "uptime").read_text().split()[0])
    return time.time() - uptime + int(_stat(pid)[19]) / _TICKS


def _memory(pid: int, file: str, name: str) -> int:
    """One line of a file of /proc, in KiB; 0 where it cannot be read."""
    try:
        lines = (_PROC / str(pid) / file).read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def resident_kib(pid: int) -> int:
    """What a process holds now, in KiB."""
    return _memory(pid, "status", "VmRSS")


def memory_mib(pid: int) -> float:
    """The most that a process has held, in MiB. Of one with children, which share pages: what all hold now (PSS)."""
    children = children_of(pid)
    if not children:
        return _memory(pid, "status", "VmHWM") / 1024
    return sum(_memory(each, "smaps_rollup", "Pss") for each in (pid, *children)) / 1024


@dataclass
class CpuLog:
    """The seconds of a processor of some processes, noted over time."""

    pids: Mapping[str, int]
    _times: list[float] = field(default_factory=list)
    _seconds: list[dict[str, float]] = field(default_factory=list)

    def note(self) -> None:
        """Take one sample."""
        self._times.append(time.time())
        self._seconds.append({name: cpu_seconds(pid) for name, pid in self.pids.items()})

    def between(self, first: float, last: float) -> dict[str, float]:
        """What each process took from one moment to another, by the samples nearest before them."""
        low, high = (max(bisect_right(self._times, at) - 1, 0) for at in (first, last))
        return {name: self._seconds[high][name] - self._seconds[low][name] for name in self.pids}

    @contextmanager
    def running(self, interval: float = 0.1) -> Iterator[None]:
        """Take samples in the background."""
        ended = threading.Event()

        def loop() -> None:
            while not ended.wait(interval):
                self.note()

        self.note()
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.note()
