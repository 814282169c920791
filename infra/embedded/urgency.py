"""Who waits where processors are short: the niceness and the policy of each process (docs/adr/0136)."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache

from riskee.settings.sections import PredictSettings

_SETTING = "RISKEE_PREDICT__PRECEDENCE"
_MOST = 19
# How many times the setting. All that is not named is as urgent as predict: ingest and the servers that it works with.
_STEPS: Mapping[str, int] = {
    "record": 1,
    "api": 1,
    "explain": 3,
    "qdrant": 3,
    "ollama": 3,
    "dagster-code": 3,
    "dagster-webserver": 3,
    "dagster-daemon": 3,
}
# Each of its backends is a session of its own, and by that to Linux' autogroups as urgent as all of the stack together:
# niceness does not reach them, the policy does.
_INTERRUPTS_NOBODY = frozenset({*_STEPS, "postgres"})
_POLICY = ("chrt", "--batch", "0")


def prefix(name: str, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """What stands before the command of a process that others precede; it becomes the process."""
    if not _precedence(environ):
        return ()
    policy = _POLICY if name in _INTERRUPTS_NOBODY and _policy_is_granted() else ()
    return *policy, *(("nice", "-n", str(number)) if (number := niceness(name, environ)) else ())


def niceness(name: str, environ: Mapping[str, str] = os.environ) -> int:
    """The niceness of a process, from 0 (as urgent as any) to 19."""
    return min(_STEPS.get(name, 0) * _precedence(environ), _MOST)


def _precedence(environ: Mapping[str, str]) -> int:
    """The setting; what is no number is left for the settings to refuse."""
    given = environ.get(_SETTING, "")
    return int(given) if given.isdecimal() else int(PredictSettings.model_fields["precedence"].default)


@cache
def _policy_is_granted() -> bool:
    """Whether a process may be one that interrupts nobody when it wakes up (SCHED_BATCH): not every sandbox knows it,
    and who has put the whole stack under another policy keeps that."""
    usual = os.sched_getscheduler(0) == os.SCHED_OTHER
    if not usual or not shutil.which(_POLICY[0]):
        return False
    return subprocess.run((*_POLICY, "true"), check=False, capture_output=True).returncode == 0
