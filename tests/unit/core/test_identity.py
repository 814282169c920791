"""Identities and time."""

import uuid
from datetime import UTC, date, datetime

from riskee import ids
from riskee.clock import FixedClock, SystemClock

AT = datetime(2012, 9, 4, 20, 0, tzinfo=UTC)


def test_the_same_content_has_the_same_identity() -> None:
    quote = ids.quote_id("replay/1", "AAPL", AT, 3)
    assert quote == uuid.UUID("2a8bd93e-72b4-5f1b-abd0-4ec6411f5f89")
    assert ids.prediction_id(quote, "1d", "normal-1") == ids.prediction_id(quote, "1d", "normal-1")


def test_any_part_changes_the_identity() -> None:
    quote = ids.quote_id("replay/1", "AAPL", AT, 3)
    others = {
        ids.quote_id("replay/2", "AAPL", AT, 3),
        ids.quote_id("replay/1", "IBM", AT, 3),
        ids.quote_id("replay/1", "AAPL", AT.replace(hour=19), 3),
        ids.quote_id("replay/1", "AAPL", AT, 4),
        ids.prediction_id(quote, "1d", "normal-1"),
        ids.prediction_id(quote, "1d", "normal-2"),
        ids.explanation_id(quote, "f", "1", "llm"),
        ids.explanation_id(quote, "g", "1", "llm"),
        ids.initiative_id(quote),
    }
    assert quote not in others
    assert len(others) == 9


def test_parts_cannot_run_into_each_other() -> None:
    assert ids.document_id("a", "bc", "d") != ids.document_id("ab", "c", "d")


def test_pattern_key_is_readable() -> None:
    assert ids.pattern_key("IBM", date(2012, 9, 4), "gap_up") == "IBM:2012-09-04:gap_up"


def test_clocks_speak_utc() -> None:
    assert FixedClock(AT).now() == AT
    assert SystemClock().now().tzinfo is UTC


def test_predictions_have_the_same_identity_one_by_one_and_together() -> None:
    quotes = [uuid.uuid5(ids.NAMESPACE, str(number)) for number in range(50)]
    assert ids.prediction_ids(quotes, "1d", "normal-1") == [ids.prediction_id(q, "1d", "normal-1") for q in quotes]
    assert all(made.version == 5 for made in ids.prediction_ids(quotes, "1d", "normal-1"))
