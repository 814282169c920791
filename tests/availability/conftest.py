"""Servers that die while others of their kind stand by: `make availability` runs these, outside the quick set."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskee.settings.loading import TEST_PREFIX
from tests.availability.measuring import FILE, MEASURED, table, write
from tests.availability.servers import folder_of_servers
from tests.integration.conftest import beating, bus, cache, engine, known, long_heard

__all__ = ["beating", "bus", "cache", "engine", "known", "long_heard"]

FULL = os.environ.get(f"{TEST_PREFIX}AVAILABILITY") == "full"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if FULL:
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="`make availability` runs it"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """For the servers of a test."""
    with folder_of_servers() as folder:
        yield folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured, and keep it."""
    if not MEASURED:
        return
    terminalreporter.section("availability")
    for line in table(MEASURED):
        terminalreporter.write_line(line)
    write(MEASURED, FILE)
    terminalreporter.write_line(f"written to {FILE}")
