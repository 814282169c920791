"""What is to be done about each document and point."""

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.documents.indexing import differences

_SIDE = st.dictionaries(st.integers(0, 30).map(lambda number: uuid.UUID(int=number << 90)), st.sampled_from("abc"))


@settings(deadline=None)
@given(_SIDE, _SIDE)
def test_both_sides_are_compared_in_one_walk(documents: dict[uuid.UUID, str], points: dict[uuid.UUID, str]) -> None:
    found = dict(differences(sorted(documents.items()), sorted(points.items())))
    assert {one for one, what in found.items() if what == "orphan"} == points.keys() - documents.keys()
    assert {one for one, what in found.items() if what == "unchanged"} == {
        one for one in documents if points.get(one) == documents[one]
    }
    assert found.keys() == documents.keys() | points.keys()
