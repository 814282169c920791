"""Whose a defect is."""

import pytest

from riskee.errors import PoisonError
from serving.consumers.defects import Defects

KEY, OTHER_KEY, VALUE, POISON = KeyError("a"), KeyError("b"), ValueError("c"), PoisonError("no good")


@pytest.mark.parametrize(
    ("errors", "ours"),
    [
        ((KEY, OTHER_KEY), True),
        ((KEY, VALUE), False),
        ((KEY, OTHER_KEY, POISON), True),
        ((POISON, POISON), False),
        ((KEY,), False),
        ((), False),
    ],
)
def test_one_kind_of_defect_that_several_met_is_the_process_s(errors: tuple[Exception, ...], *, ours: bool) -> None:
    assert Defects().blame_process(errors) is ours


def test_of_messages_that_are_alone_the_second_shows_it() -> None:
    defects = Defects()
    assert [defects.blame_process([error]) for error in (KEY, OTHER_KEY, KEY, VALUE, KEY)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_a_message_that_gets_through_clears_the_process() -> None:
    defects = Defects()
    defects.blame_process([KEY])
    defects.got_through()
    assert not defects.blame_process([KEY])


def test_poison_between_them_changes_nothing() -> None:
    defects = Defects()
    defects.blame_process([KEY])
    assert not defects.blame_process([POISON])
    assert defects.blame_process([KEY])
