"""Whose a defect is."""

from collections.abc import Callable

import pytest

from riskee.errors import PoisonError
from serving.consumers.defects import Defects

PATIENCE = 60.0
KEY, OTHER_KEY, VALUE, POISON = KeyError("a"), KeyError("b"), ValueError("c"), PoisonError("no good")


def made_defects(monotonic: Callable[[], float] = lambda: 0.0) -> Defects:
    return Defects(PATIENCE, monotonic)


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
    assert made_defects().blame_process(errors) is ours


def test_of_messages_that_are_alone_the_second_shows_it() -> None:
    defects = made_defects()
    assert [defects.blame_process([error]) for error in (KEY, OTHER_KEY, KEY, VALUE, KEY)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_a_message_that_gets_through_clears_the_process() -> None:
    defects = made_defects()
    defects.blame_process([KEY])
    defects.got_through()
    assert not defects.blame_process([KEY])


def test_poison_between_them_changes_nothing() -> None:
    defects = made_defects()
    defects.blame_process([KEY])
    assert not defects.blame_process([POISON])
    assert defects.blame_process([KEY])


def test_one_that_stays_alone_is_given_up_after_a_while_and_so_is_the_next() -> None:
    now = 0.0
    defects = made_defects(lambda: now)
    assert not defects.blame_process([KEY]), "the first"
    for began in (100.0, 1000.0):
        for passed, kept in ((0.0, True), (PATIENCE - 1, True), (PATIENCE, False)):
            now = began + passed
            assert defects.blame_process([KEY]) is kept


def test_a_process_that_several_have_met_is_not_cleared_by_time() -> None:
    now = 0.0
    defects = made_defects(lambda: now)
    defects.blame_process([KEY])
    assert defects.blame_process([KEY])
    now = PATIENCE
    assert defects.blame_process([KEY, OTHER_KEY])
    assert defects.blame_process([KEY])
