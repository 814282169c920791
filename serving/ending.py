"""Ending a process that cannot end by itself."""

import asyncio
import faulthandler
import os
import threading


def exit_within(seconds: float, code: int) -> None:
    """End the process with this code after so many seconds, unless it has ended by then.

    A thread that waits for a server cannot be cancelled, and the interpreter would wait for it.
    """
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()


async def exit_when_blocked(seconds: float) -> None:
    """Until cancelled: end the process, its stacks in the log, where the event loop does not turn for so long."""
    try:
        while True:
            faulthandler.dump_traceback_later(seconds, exit=True)
            await asyncio.sleep(seconds / 4)
    finally:
        faulthandler.cancel_dump_traceback_later()
