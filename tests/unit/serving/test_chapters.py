"""Which batches begin a chapter."""

from collections.abc import Sequence
from typing import Any

import pytest

from serving.consumers.chapters import Chapters


class _Said:
    def __init__(self, payload: Any) -> None:
        self.payload = payload


def batch(days: Sequence[int]) -> Any:
    return [_Said(day) for day in days]


@pytest.mark.parametrize(
    ("before", "days", "begins"),
    [
        ((), (1, 1), False),
        ((1,), (1, 1), False),
        ((1,), (2, 2), True),
        ((1,), (1, 2), True),
        ((), (1, 2, 1), True),
        ((1,), (1, 2, 1), True),
        ((1,), (), False),
        ((1, 2), (1,), False),
        ((1, 2, 3), (3, 2), False),
        ((1, 2), (1, 3), True),
    ],
)
def test_any_message_of_another_chapter_begins_one(
    before: tuple[int, ...], days: tuple[int, ...], *, begins: bool
) -> None:
    chapters: Chapters[Any] = Chapters(lambda day: day)
    chapters.handled(batch(before))
    assert chapters.begins(batch(days)) is begins


@pytest.mark.parametrize("late", [(1,), (2,), (1, 2), (2, 1)])
def test_a_late_message_alone_does_not_set_the_chapter_back(late: tuple[int, ...]) -> None:
    chapters: Chapters[Any] = Chapters(lambda day: day)
    chapters.handled(batch((1, 2, 3)))
    chapters.handled(batch(late))
    assert not chapters.begins(batch((3, 3)))
    assert chapters.begins(batch((4,)))


def test_without_chapters_none_begins() -> None:
    chapters: Chapters[Any] = Chapters(None)
    assert not chapters.begins(batch((1, 2)))
