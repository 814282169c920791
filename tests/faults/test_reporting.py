"""What the document says of its results: each names the commit that it is of, and when it ended."""

from datetime import UTC, datetime

import msgspec
import pytest

from tests.faults.reporting import BEGIN, END, Result, page

RESULT = Result("kill", 300, 1.0, 10, 8, 0, (), commit="92ef8e2", ended_at=datetime(2026, 1, 5, 12, 30, tzinfo=UTC))
DOCUMENT = f"before\n{BEGIN}\nold\n{END}\nafter\n"


def test_the_document_has_only_results_that_tell_of_which_run_they_are() -> None:
    assert "| 92ef8e2 | 2026-01-05T12:30Z | ok |" in page(DOCUMENT, [RESULT])
    for unknown in ({"commit": ""}, {"ended_at": None}):
        older = msgspec.structs.replace(RESULT, name="stop", **unknown)
        with pytest.raises(ValueError, match="stop: not known of which commit it is or when it ended"):
            page(DOCUMENT, [RESULT, older])


def test_without_results_the_document_is_not_emptied() -> None:
    with pytest.raises(ValueError, match="make faults"):
        page(DOCUMENT, [])
