"""What wakes supervisord."""

import os
import select
import signal
from collections.abc import Iterator

import pytest
from supervisor import events
from supervisor.medusa.asyncore_25 import socket_map

from infra.embedded.wake_up import WakeUp


@pytest.fixture
def wake_up() -> Iterator[WakeUp]:
    before = signal.signal(signal.SIGCHLD, lambda *_: None)
    wake_up = WakeUp()
    yield wake_up
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, before)
    events.clear()
    socket_map.pop(wake_up._read)


def _awake(wake_up: WakeUp) -> bool:
    return bool(select.select([wake_up._read], [], [], 0)[0])


def test_the_end_of_a_child_wakes_and_once_read_it_sleeps(wake_up: WakeUp) -> None:
    assert socket_map[wake_up._read] is wake_up
    assert not _awake(wake_up)
    os.kill(os.getpid(), signal.SIGCHLD)
    assert _awake(wake_up)
    wake_up.handle_read_event()
    assert not _awake(wake_up)


def test_a_child_that_was_noticed_wakes_again_to_be_started(wake_up: WakeUp) -> None:
    wake_up._wake(None)
    assert _awake(wake_up)
