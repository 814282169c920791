"""Cursors come back as they went, and nothing else is one."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.storage.history import Place
from serving.api.cursors import cursor_of, place_of
from serving.api.problems import ProblemError

PLACES = st.builds(Place, st.dates(), st.datetimes(timezones=st.just(UTC)), st.uuids())


@given(PLACES)
def test_a_place_comes_back(place: Place) -> None:
    assert place_of(cursor_of(place), Place) == place


@given(st.one_of(st.text(max_size=50), st.binary(max_size=50).map(lambda raw: cursor_of(raw.hex()))))
def test_nothing_else_is_a_cursor(text: str) -> None:
    with pytest.raises(ProblemError) as raised:
        place_of(text, Place)
    assert (raised.value.status, raised.value.kind) == (422, "bad_cursor")
