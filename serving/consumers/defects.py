"""Whose a defect is: the message's that met it, or this process's."""

from collections.abc import Callable, Sequence

from riskee.errors import PoisonError


class Defects:
    """Judges what the messages of a batch met, where none of them got through.

    One kind of defect that several met at once is the process's. One message alone tells nothing of who is at fault:
    the first is given up, and where the next, alone too, meets the same it is the process's, until a message gets
    through. Nothing may follow for days where messages are rare: of those that are alone one is given up each time
    they were tried for so many seconds.
    """

    def __init__(self, patience_seconds: float, monotonic: Callable[[], float]) -> None:
        self._patience = patience_seconds
        self._monotonic = monotonic
        self._met_alone: type[Exception] | None = None
        self._blamed_at: float | None = None

    def got_through(self) -> None:
        """A message was handled."""
        self._met_alone = self._blamed_at = None

    def blame_process(self, errors: Sequence[Exception]) -> bool:
        """Whether this process is at fault for all errors of a batch. Poison is always the message's."""
        defects = [error for error in errors if not isinstance(error, PoisonError)]
        kinds = {type(error) for error in defects}
        if len(kinds) != 1:
            return False
        if len(defects) > 1:
            self._blamed_at = None
            return True
        (kind,) = kinds
        again, self._met_alone = kind is self._met_alone, kind
        now = self._monotonic()
        if again and self._blamed_at is None:
            self._blamed_at = now
        if again and self._blamed_at is not None and now - self._blamed_at < self._patience:
            return True
        self._blamed_at = None
        return False
