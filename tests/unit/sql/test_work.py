"""Which part of an incremental model a run computes."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_like_sql.work import ALL, BEGINNING, Changes, Part, Window, merged, parts

D1, D2, D3 = date(2020, 1, 2), date(2020, 3, 2), date(2020, 5, 4)
DAYS = st.dates(date(2020, 1, 1), date(2020, 1, 20))
KEYS = st.sampled_from(["AAPL", "IBM", "MSFT", ALL])
NONE = Window()


@pytest.mark.parametrize(
    ("changes", "window", "wanted"),
    [
        ({}, NONE, ()),
        ({"AAPL": D1}, NONE, (Part(D1, keys=("AAPL",)),)),
        ({"IBM": D2, "AAPL": D2}, NONE, (Part(D2, keys=("AAPL", "IBM")),)),
        ({"IBM": D1, "AAPL": D2}, NONE, (Part(D1, keys=("IBM",)), Part(D2, keys=("AAPL",)))),
        ({ALL: D2, "AAPL": D3}, NONE, (Part(D2),)),
        ({ALL: D2, "AAPL": D1}, NONE, (Part(D2, without=("AAPL",)), Part(D1, keys=("AAPL",)))),
        ({}, Window(D1, D2), (Part(D1, D2),)),
        ({}, Window(None, D2), (Part(BEGINNING, D2),)),
        ({}, Window(D1), (Part(D1),)),
        ({"AAPL": D2}, Window(D1), (Part(D1),)),
        # A correction before the window, and one that reaches beyond its end.
        ({"AAPL": D1}, Window(D2, D3), (Part(D2, D3, without=("AAPL",)), Part(D1, keys=("AAPL",)))),
        ({"AAPL": D2}, Window(D1, D3), (Part(D1, D3, without=("AAPL",)), Part(D1, keys=("AAPL",)))),
        ({ALL: D3}, Window(D1, D2), (Part(D1),)),
    ],
)
def test_what_changed_and_what_is_asked_for_is_computed(
    changes: Changes, window: Window, wanted: tuple[Part, ...]
) -> None:
    assert parts(changes, window, 0) == wanted


def test_a_model_that_looks_ahead_begins_earlier() -> None:
    assert parts({"AAPL": D1}, NONE, 30) == (Part(D1 - timedelta(30), keys=("AAPL",)),)
    assert parts({"AAPL": BEGINNING}, NONE, 30) == (Part(BEGINNING, keys=("AAPL",)),)


@given(st.dictionaries(KEYS, DAYS), st.one_of(st.none(), DAYS), st.one_of(st.none(), DAYS))
def test_every_row_that_must_be_computed_is_computed_once(
    changes: Changes, since: date | None, until: date | None
) -> None:
    window = Window(since, until)
    found = parts(changes, window, 0)
    for key in ("AAPL", "IBM", "MSFT", "OTHER"):
        for number in range(25):
            day = date(2020, 1, 1) + timedelta(number)
            changed = any(day >= changes.get(name, date.max) for name in (key, ALL))
            asked = bool(window) and (since or BEGINNING) <= day <= (until or date.max)
            times = sum(_holds(part, key, day) for part in found)
            assert times <= 1
            assert times == 1 or not (changed or asked)


def _holds(part: Part, key: str, day: date) -> bool:
    mine = key in part.keys if part.keys is not None else key not in part.without
    return mine and part.since <= day <= part.until


def test_changes_are_merged_from_the_earlier_day_on() -> None:
    assert merged({"AAPL": D2, "IBM": D1}, {"AAPL": D1, "IBM": D2, "MSFT": D3}) == {"AAPL": D1, "IBM": D1, "MSFT": D3}


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Part(BEGINNING), "everything"),
        (Part(D1, D2), "everything from 2020-01-02 to 2020-03-02"),
        (Part(D1, keys=("AAPL",)), "AAPL from 2020-01-02"),
        (Part(D1, keys=("A", "B", "C", "D")), "4 slices from 2020-01-02"),
        (Part(D1, without=("A",)), "all but 1 from 2020-01-02"),
    ],
)
def test_a_part_is_told_in_words(part: Part, told: str) -> None:
    assert str(part) == told
