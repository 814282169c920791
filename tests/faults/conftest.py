"""The fault tests: `make faults` runs all of them at full length, `make test` a short set."""

import os
from collections.abc import Callable

import pytest

from riskee.settings.loading import TEST_PREFIX
from tests.faults.recovery import Verdict
from tests.faults.reporting import FILE, FINISHED, Result, summary, table, write
from tests.faults.scenario import Load

FULL = os.environ.get(f"{TEST_PREFIX}FAULTS") == "full"

full_only = pytest.mark.skipif(not FULL, reason="`make faults` runs it")


def load(rate: float = 300, *, poison: float = 0.0) -> Load:
    """A minute of load in the full set, some seconds in the short one."""
    return Load(rate, 60, poison=poison) if FULL else Load(100, 8, poison=poison)


def times(full: int) -> int:
    """How often a fault happens: once in the short set."""
    return full if FULL else 1


@pytest.fixture
def holds() -> Callable[[Result], None]:
    """Fails the test where a bar does not hold."""

    def check(result: Result) -> None:
        assert result.failures == ()
        if result.verdict is Verdict.UNDECIDED:
            pytest.skip(Verdict.UNDECIDED)

    return check


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the table, and keep the results of a full run."""
    if not FINISHED:
        return
    terminalreporter.section("faults")
    for line in table(FINISHED):
        terminalreporter.write_line(line)
    terminalreporter.write_line(summary(FINISHED))
    if FULL:
        write(FINISHED, FILE)
        terminalreporter.write_line(f"written to {FILE}")
