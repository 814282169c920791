"""What can be wrong with a model, and with what it made."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from psycopg import Error
from psycopg.errors import UndefinedTable
from sqlalchemy.exc import DataError, ProgrammingError

from riskee.errors import FatalError, PoisonError


class ModelError(FatalError):
    """A model file is wrong; the message names the file and the line."""

    def __init__(self, path: Path, line: int, cause: str, remedy: str = "") -> None:
        super().__init__(f"{path}:{line}: {cause}", remedy)
        self.path = path
        self.line = line


class CheckError(PoisonError):
    """The rows that a model made fail its tests; none of them was kept.

    `failures` counts wrong rows by test, `tests` those of every test that was run; the others were not reached.
    """

    def __init__(self, model: str, failures: Mapping[str, int], tests: Mapping[str, int] | None = None) -> None:
        told = "; ".join(f"{name} in {count} rows" for name, count in failures.items())
        super().__init__(
            f"model {model} breaks its tests: {told}",
            "its former rows were kept; mend the data or the model and run it again",
        )
        self.failures = dict(failures)
        self.tests = {**(tests or {}), **failures}


@contextmanager
def sql_errors(path: Path) -> Iterator[None]:
    """Tell what PostgreSQL refuses by the file that it comes from, whose text stands first in the statement.

    Raises ModelError. A table that is not there passes through: it may be made yet.
    """
    try:
        yield
    except (ProgrammingError, DataError) as error:
        refusal = error.orig
        if not isinstance(refusal, Error) or isinstance(refusal, UndefinedTable):
            raise
        position = int(refusal.diag.statement_position or 1)
        line = _sent(error.statement or "").count("\n", 0, position - 1) + 1
        cause = f"PostgreSQL refuses it: {refusal.diag.message_primary}"
        raise ModelError(path, line, cause, refusal.diag.message_hint or "mend the SQL, or the data") from error


def _sent(statement: str) -> str:
    """The statement as the server counts its characters: the driver numbers the parameters."""
    numbers: dict[str, int] = {}

    def placeholder(match: re.Match[str]) -> str:
        name = match[1]
        return "%" if name is None else f"${numbers.setdefault(name, len(numbers) + 1)}"

    return re.sub(r"%%|%\((\w+)\)s", placeholder, statement)
