"""What can be wrong with a model, and with what it made."""

from pathlib import Path

from riskee.errors import FatalError, PoisonError


class ModelError(FatalError):
    """A model file is wrong; the message names the file and the line."""

    def __init__(self, path: Path, line: int, cause: str, remedy: str = "") -> None:
        super().__init__(f"{path}:{line}: {cause}", remedy)
        self.path = path
        self.line = line


class CheckError(PoisonError):
    """The rows that a model made fail its checks; none of them was kept."""
