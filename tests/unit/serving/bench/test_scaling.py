"""What is told of several predictors of which one is killed."""

import msgspec

from serving.bench.scaling import waited
from tests.unit.serving.bench.test_loads import LOAD, seen


def test_quotes_without_an_event_are_lost_and_the_longest_wait_is_of_the_others() -> None:
    whole = seen(LOAD, 0.25)
    assert waited(LOAD, whole) == (0.25, 0)
    assert waited(LOAD, msgspec.structs.replace(whole, event=whole.event[:-7])) == (0.25, 7)
    assert waited(LOAD, msgspec.structs.replace(whole, event=[])) == (None, LOAD.count)
