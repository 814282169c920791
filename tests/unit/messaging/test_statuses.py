"""The table of statuses holds together."""

import pytest

from riskee.messaging.messages import Flag
from riskee.messaging.statuses import MEANINGS, Status, gravest


def test_every_status_is_declared_once_with_what_to_do() -> None:
    assert [meaning.status for meaning in MEANINGS] == list(Status), "gravest first, in both"
    assert all(meaning.text for meaning in MEANINGS)
    assert {meaning.status for meaning in MEANINGS if not meaning.next_step} == {Status.OK}


def test_what_can_be_said_of_a_prediction_at_its_making_or_later_is_a_flag() -> None:
    notes = {Flag.REPLAY, Flag.PROVISIONAL_BAR, Flag.IN_SAMPLE}
    no_number = {Status.OK, Status.NO_MODEL, Status.NO_QUOTE, Status.UNKNOWN_TICKER}
    assert {flag.value for flag in set(Flag) - notes} == {status.value for status in set(Status) - no_number}


@pytest.mark.parametrize(
    ("names", "status"),
    [
        ((), Status.OK),
        ((Flag.REPLAY, Flag.PROVISIONAL_BAR, Flag.IN_SAMPLE), Status.OK),
        ((Flag.EARNINGS_UNKNOWN, Flag.SESSION_CLOSED), Status.SESSION_CLOSED),
        ((Status.STALE, Status.NO_MODEL), Status.NO_MODEL),
        ((Flag.STALE, Flag.FEED_MUTE, Flag.HALTED), Status.FEED_MUTE),
        ((Flag.FEED_MUTE, Flag.PREDICT_SILENT), Status.PREDICT_SILENT),
    ],
)
def test_the_gravest_counts(names: tuple[str, ...], status: Status) -> None:
    assert gravest(names) is status
