"""Whose a defect is: the message's that met it, or this process's."""

from collections.abc import Sequence

from riskee.errors import PoisonError


class Defects:
    """Judges what the messages of a batch met, where none of them got through.

    One kind of defect that several met at once is the process's. One message alone tells nothing of who is at fault:
    the first is given up, and where the next, alone too, meets the same it is the process's, until a message gets
    through.
    """

    def __init__(self) -> None:
        self._met_alone: type[Exception] | None = None

    def got_through(self) -> None:
        """A message was handled."""
        self._met_alone = None

    def blame_process(self, errors: Sequence[Exception]) -> bool:
        """Whether this process is at fault for all errors of a batch. Poison is always the message's."""
        defects = [error for error in errors if not isinstance(error, PoisonError)]
        kinds = {type(error) for error in defects}
        if len(kinds) != 1:
            return False
        if len(defects) > 1:
            return True
        (kind,) = kinds
        again, self._met_alone = kind is self._met_alone, kind
        return again
