"""The division of work: complete, even, and no more moves than must be."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from serving.consumers.shares import shares

units = st.integers(1, 64).map(lambda count: [f"{number}-of-{count}" for number in range(count)])
members = st.sets(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=8)


@st.composite
def divisions(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]]]:
    """Units and what members say they hold, also twice or not at all."""
    given_units = draw(units)
    held = st.lists(st.sampled_from(given_units), unique=True)
    return given_units, {member: draw(held) for member in draw(members)}


def settled(given_units: list[str], names: set[str]) -> dict[str, list[str]]:
    return shares(given_units, {name: [] for name in names})


@given(divisions())
def test_every_unit_has_one_member_and_all_have_the_same_load(given_: tuple[list[str], dict[str, list[str]]]) -> None:
    all_units, holds = given_
    divided = shares(all_units, holds)
    assert Counter(unit for own in divided.values() for unit in own) == Counter(all_units)
    assert set(divided) == set(holds)
    sizes = [len(own) for own in divided.values()]
    assert max(sizes) - min(sizes) <= 1


@given(divisions())
def test_what_is_divided_stays(given_: tuple[list[str], dict[str, list[str]]]) -> None:
    all_units, holds = given_
    divided = shares(all_units, holds)
    assert {member: set(own) for member, own in shares(all_units, divided).items()} == {
        member: set(own) for member, own in divided.items()
    }


@given(divisions())
def test_all_compute_the_same_in_whatever_order_they_heard(given_: tuple[list[str], dict[str, list[str]]]) -> None:
    all_units, holds = given_
    assert shares(all_units, dict(reversed(holds.items()))) == shares(all_units, holds)


@given(units, members)
def test_when_one_dies_only_its_units_move(all_units: list[str], names: set[str]) -> None:
    before = settled(all_units, names | {"dead"})
    after = shares(all_units, {name: own for name, own in before.items() if name != "dead"})
    assert all(set(before[name]) <= set(own) for name, own in after.items())


@given(units, members)
def test_a_new_one_gets_its_share_and_nothing_else_moves(all_units: list[str], names: set[str]) -> None:
    before = settled(all_units, names)
    after = shares(all_units, {**before, "new": []})
    assert len(after["new"]) in {len(all_units) // len(after), -(-len(all_units) // len(after))}
    assert all(set(after[name]) <= set(before[name]) for name in before)


def test_a_unit_that_two_hold_is_left_to_one() -> None:
    """As after a pause of a whole process, whose units others have taken over."""
    divided = shares(["0", "1"], {"a": ["0", "1"], "b": ["1"]})
    assert divided == {"a": ["0"], "b": ["1"]}


def test_without_members_nothing_is_divided() -> None:
    assert shares(["0"], {}) == {}
