"""Who waits where processors are short: the niceness of each process (docs/adr/0136)."""

import os
from collections.abc import Mapping

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


def niceness(name: str, environ: Mapping[str, str] = os.environ) -> int:
    """The niceness of a process, from 0 (as urgent as any) to 19; what is no number is left for the settings to
    refuse."""
    given = environ.get(_SETTING, "")
    step = int(given) if given.isdecimal() else int(PredictSettings.model_fields["precedence"].default)
    return min(_STEPS.get(name, 0) * step, _MOST)
