"""Ids that all services derive alike, and a sampling that all of them decide alike."""

import uuid

import pytest

from riskee.ids import quote_id
from riskee.tracing.hops import API_DELIVER, EVENT_PUBLISH, HOPS, INGEST_PUBLISH
from riskee.tracing.sampling import sampler
from tests.unit.tracing.ticks import AT

QUOTES = [quote_id("replay/1", f"T{number}", AT, number) for number in range(20_000)]


def test_the_spans_of_a_trace_have_different_ids_that_are_always_the_same() -> None:
    ids = {hop.span_id(QUOTES[0]) for hop in HOPS}
    assert len(ids) == len(HOPS)
    assert ids.isdisjoint(hop.span_id(QUOTES[1]) for hop in HOPS)
    assert all(0 < each < 1 << 64 for each in ids)
    # Of another release, too: services are not replaced all at once.
    assert INGEST_PUBLISH.span_id(uuid.UUID(int=1)) == 0x70F8E77F44A539D9


def test_several_of_a_hop_are_told_apart() -> None:
    assert len({API_DELIVER.span_id(QUOTES[0], nth) for nth in ("", "a", "b")}) == 3


def test_a_delivery_descends_from_ingest() -> None:
    line, hop = [], API_DELIVER
    while hop.parent:
        line.append(hop.name)
        hop = hop.parent
    assert [*line, hop.name] == ["api.deliver", "event.publish", "predict.wave", "ingest.publish"]
    assert EVENT_PUBLISH in HOPS


@pytest.mark.parametrize("ratio", [0.0, 0.001, 0.25, 0.5, 1.0])
def test_the_share_of_ids_is_the_one_that_was_asked_for(ratio: float) -> None:
    """Of derived ids: the fixed bits of a UUID must not count as chance."""
    samples = sampler(ratio)
    share = sum(map(samples, QUOTES)) / len(QUOTES)
    assert share == pytest.approx(ratio, abs=0.012)
    assert ratio not in {0.0, 1.0} or share == ratio


def test_who_samples_more_has_all_that_the_other_has() -> None:
    few, many = sampler(0.1), sampler(0.3)
    assert all(many(each) for each in QUOTES if few(each))
