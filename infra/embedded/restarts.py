"""A plug-in of supervisord that counts how often each child had to be restarted. Loaded inside supervisord."""

from collections import Counter
from typing import Any

from supervisor import events
from supervisor.states import ProcessStates

# A start from one of these states was nobody's wish but autorestart's.
UNWANTED = (ProcessStates.EXITED, ProcessStates.BACKOFF)


class RestartCounter:
    """The XML-RPC namespace `restarts`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        events.subscribe(events.ProcessStateStartingEvent, self._starting)

    def _starting(self, event: Any) -> None:
        if event.from_state in UNWANTED:
            self._counts[event.process.config.name] += 1

    def counts(self) -> dict[str, int]:
        """Restarts by process name since supervisord started."""
        return dict(self._counts)


def make_restart_counter(_supervisord: object, **_config: str) -> RestartCounter:
    """Factory named in supervisord's configuration."""
    return RestartCounter()
