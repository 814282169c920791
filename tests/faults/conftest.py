"""The fault tests: `make faults` runs all of them at full length, `make test` a short set."""

import os
from collections.abc import Callable
from pathlib import Path

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a scenario of the short set whose recovery alone took too long be played once more.

    What others do for a second makes a recovery slower, never faster. Whatever else is violated fails at once.
    """
    if FULL:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["recovery p95"]))


@pytest.fixture
def holds() -> Callable[[Result], None]:
    """Fails the test where a bar does not hold."""

    def check(result: Result) -> None:
        assert result.violations == ()
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
