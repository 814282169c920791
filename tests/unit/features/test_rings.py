"""Rings against plain lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.features.rings import Rings

KEEP = 5
ROWS = 3


def rings() -> Rings[np.int64]:
    return Rings(ROWS, KEEP, np.int64(-1))


# Every row by itself takes more than the room that it has before its values are moved.
@settings(max_examples=30, deadline=None)
@given(pushes=st.lists(st.sets(st.integers(0, ROWS - 1), min_size=1), min_size=150, max_size=200))
def test_the_last_values_are_those_of_a_list(pushes: list[set[int]]) -> None:
    subject, lists = rings(), [[-1] * KEEP for _ in range(ROWS)]
    for number, chosen in enumerate(pushes):
        rows = np.array(sorted(chosen), np.int64)
        subject.push(rows, 10 * number + rows)
        for row in rows.tolist():
            lists[row].append(10 * number + row)
        everyone = np.arange(ROWS)[::-1]
        for count in (1, 2, KEEP):
            assert subject.window(everyone, count).tolist() == [row[-count:] for row in lists[::-1]]
            assert subject.back(everyone, count).tolist() == [row[-count] for row in lists[::-1]]


@pytest.mark.parametrize("columns", [0, 2, KEEP, KEEP + 2])
def test_loaded_values_are_padded_on_the_left_or_cut(columns: int) -> None:
    subject, values = rings(), np.arange(2 * columns).reshape(2, columns)
    subject.push(np.arange(ROWS), np.full(ROWS, 99))
    subject.load(np.array([2, 0]), values)
    wanted = [[-1] * KEEP + row for row in values.tolist()]
    assert subject.window(np.array([2, 0]), KEEP).tolist() == [row[-KEEP:] for row in wanted]
    assert subject.back(np.array([1]), 1).tolist() == [99]


def test_a_row_that_was_forgotten_has_nothing() -> None:
    subject = rings()
    subject.push(np.arange(ROWS), np.arange(ROWS))
    subject.forget(np.array([1]))
    assert subject.window(np.arange(ROWS), 2).tolist() == [[-1, 0], [-1, -1], [-1, 2]]


@settings(max_examples=50, deadline=None)
@given(
    keep=st.integers(1, 9),
    values=st.sets(st.integers(0, 15), max_size=12),
    wanted=st.lists(st.integers(0, 15), min_size=1, max_size=6),
)
def test_values_are_found_where_they_lie(keep: int, values: set[int], wanted: list[int]) -> None:
    subject, ordered = Rings(1, keep, np.int64(-1)), sorted(values)
    subject.load(np.array([0]), np.array([ordered], np.int64))
    found = subject.find(np.array([0]), np.array([wanted]))
    kept = ordered[-keep:]
    assert found.tolist() == [[len(kept) - kept.index(each) if each in kept else 0 for each in wanted]]
