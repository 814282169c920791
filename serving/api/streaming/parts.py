"""Work that is done in parts: what thousands are told at once holds up nobody else for long."""

import asyncio
from collections import deque
from collections.abc import Iterator


class Parts:
    """Does works one after another, in the order in which they came; a work yields where others may have their turn.

    A work that never yields is done at once, unless others are before it.
    """

    def __init__(self) -> None:
        self._works: deque[Iterator[None]] = deque()

    def do(self, work: Iterator[None]) -> None:
        """Begin a work, or put it in line. Raises what it raises, where that is done at once."""
        self._works.append(work)
        if len(self._works) == 1:
            self._go_on()

    def _go_on(self) -> None:
        try:
            while self._works:
                for _ in self._works[0]:
                    return
                self._works.popleft()
        except Exception:
            # Those that wait behind it go on.
            self._works.popleft()
            raise
        finally:
            if self._works:
                asyncio.get_running_loop().call_soon(self._go_on)
