"""A process that cannot end by itself is ended, with the code it was given."""

import subprocess
import sys

import pytest

_HANGING_THREAD = """
import threading
from serving.ending import exit_within
threading.Thread(target=threading.Event().wait).start()
exit_within(0.2, {code})
"""
_BLOCKED_LOOP = """
import asyncio, time
from serving.ending import exit_when_blocked
async def main():
    watchdog = asyncio.create_task(exit_when_blocked({seconds}))
    await asyncio.sleep(0)
    time.sleep({blocked})
    watchdog.cancel()
asyncio.run(main())
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code", [0, 1])
def test_a_thread_that_hangs_does_not_keep_the_process(code: int) -> None:
    assert run(_HANGING_THREAD.format(code=code)).returncode == code


def test_an_event_loop_that_does_not_turn_ends_the_process_and_says_where() -> None:
    ended = run(_BLOCKED_LOOP.format(seconds=0.5, blocked=30))
    assert ended.returncode == 1
    assert "in main" in ended.stderr


def test_an_event_loop_that_turns_goes_on() -> None:
    assert run(_BLOCKED_LOOP.format(seconds=20, blocked=0.01)).returncode == 0
