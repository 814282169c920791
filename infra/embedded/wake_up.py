"""A plug-in of supervisord: a child's end wakes it at once. Loaded inside supervisord.

By itself it looks once a second, and takes two looks, one to notice the end and one to start the child again.
"""

import os
import signal
from typing import Any

from supervisor import events
from supervisor.medusa.asyncore_25 import socket_map

_ENOUGH = 4096


class WakeUp:
    """A pipe among the sockets that supervisord waits for; the XML-RPC namespace `wake_up`, without methods."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        socket_map[self._read] = self
        events.subscribe(events.ProcessStateExitedEvent, self._wake)

    def _wake(self, _event: object) -> None:
        os.write(self._write, b"\0")

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        os.read(self._read, _ENOUGH)

    def handle_error(self) -> None:
        """Whoever reads for nothing waits for the next look."""


def make_wake_up(_supervisord: Any, **_config: str) -> WakeUp:
    """Factory named in supervisord's configuration."""
    return WakeUp()
