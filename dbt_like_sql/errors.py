"""What can be wrong with a model, and with what it made."""

from collections.abc import Mapping
from pathlib import Path

from riskee.errors import FatalError, PoisonError


class ModelError(FatalError):
    """A model file is wrong; the message names the file and the line."""

    def __init__(self, path: Path, line: int, cause: str, remedy: str = "") -> None:
        super().__init__(f"{path}:{line}: {cause}", remedy)
        self.path = path
        self.line = line


class CheckError(PoisonError):
    """The rows that a model made fail its tests; none of them was kept. `failures` counts wrong rows by test."""

    def __init__(self, model: str, failures: Mapping[str, int]) -> None:
        told = "; ".join(f"{name} in {count} rows" for name, count in failures.items())
        super().__init__(
            f"model {model} breaks its tests: {told}",
            "its former rows were kept; mend the data or the model and run it again",
        )
        self.failures = dict(failures)
