"""Filters of the vector front: what is understood is translated, everything else is refused."""

from typing import Any

import msgspec
import pytest
import qdrant_edge as edge
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.qdrant_front import requests as bodies
from infra.embedded.qdrant_front.filters import to_filter, to_point_id
from infra.embedded.qdrant_front.refusal import RequestError


def only_condition(raw: dict[str, Any]) -> Any:
    translated = to_filter({"must": [raw]})
    assert translated is not None
    assert translated.must is not None
    (condition,) = translated.must
    return condition


def test_no_filter_stays_none() -> None:
    assert to_filter(None) is None


def test_numbers_make_a_range_of_numbers() -> None:
    condition = only_condition({"key": "price", "range": {"gt": 1, "lte": 2.5, "lt": None}})
    assert isinstance(condition.range, edge.RangeFloat)
    assert (condition.range.gt, condition.range.lte, condition.range.lt) == (1.0, 2.5, None)


def test_strings_make_a_range_of_datetimes() -> None:
    condition = only_condition({"key": "known_at", "range": {"lte": "2020-06-01T00:00:00Z"}})
    assert isinstance(condition.range, edge.RangeDateTime)


def test_one_condition_may_stand_without_a_list() -> None:
    translated: Any = to_filter({"must": {"key": "ticker", "match": {"value": "AAPL"}}})
    assert translated.must[0].match.value == "AAPL"


def test_filters_nest() -> None:
    inner: Any = only_condition({"should": [{"key": "n", "match": {"any": [1, 2]}}]})
    assert inner.should[0].match.value == [1, 2]


@pytest.mark.parametrize(
    "condition",
    [
        {"key": "ok", "match": {"value": True}},
        {"key": "ok", "match": {"any": [1, True]}},
        {"key": "ok", "match": {"any": ["a", 1]}},
        {"key": "ok", "match": {"value": 1.5}},
        {"key": "ok", "match": {"value": "a", "any": ["b"]}},
        {"key": "ok", "match": {"text": "a"}},
        {"key": "ok", "match": {"value": "a"}, "range": {"gt": 1}},
        {"key": "ok"},
        {"key": 1, "match": {"value": "a"}},
        {"key": None, "match": {"value": "a"}},
        {"key": "ok", "range": {}},
        {"key": "ok", "range": {"gt": 1, "lt": "2020-01-01"}},
        {"key": "ok", "range": {"gt": "yesterday"}},
        {"key": "ok", "range": {"above": 1}},
        {"key": "ok", "geo_radius": {}},
        {"key": "ok", "values_count": {"gt": 1}},
        {"has_id": ["not a uuid"]},
        {"has_id": [-1]},
        {"has_id": [True]},
        {"has_vector": "a"},
        {"is_empty": {"field": "a"}},
        {"nested": {"key": "a", "filter": {}}},
        {"must": [], "min_should": {}},
        {},
        "ticker = AAPL",
    ],
)
def test_everything_else_is_refused(condition: Any) -> None:
    with pytest.raises(RequestError) as refused:
        to_filter({"must": [condition]})
    assert refused.value.status in {400, 501}


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("a1-", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["must", "should", "must_not", "key", "match", "value", "any", "range", "gt", "has_id", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["must", "should", "must_not", "min_should"]), json_values, max_size=3))
def test_any_json_is_translated_or_refused(raw: dict[str, Any]) -> None:
    try:
        translated = to_filter(raw)
    except RequestError:
        return
    assert isinstance(translated, edge.Filter)


def test_point_ids_are_unsigned_or_uuids() -> None:
    assert to_point_id(2**64 - 1) == 2**64 - 1
    assert str(to_point_id("936da01f9abd4d9d80c702af85c822a8")) == "936da01f-9abd-4d9d-80c7-02af85c822a8"
    with pytest.raises(RequestError, match="unsigned"):
        to_point_id(2**64)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (bodies.Query, {"query": [1.0], "prefetch": []}),
        (bodies.Query, {"query": {"recommend": {}}}),
        (bodies.Query, {"query": [1.0], "using": "title"}),
        (bodies.Query, {"query": [1.0], "params": {"indexed_only": True}}),
        (bodies.Scroll, {"order_by": "number"}),
        (bodies.Upsert, {"points": [{"id": 1, "vector": {"a": [1.0]}}]}),
        (bodies.CreateCollection, {"vectors": {"size": 3, "distance": "Cosine", "datatype": "float16"}}),
        (bodies.CreateCollection, {"vectors": {"size": 3, "distance": "Hamming"}}),
        (bodies.CreateIndex, {"field_name": "a", "field_schema": "text"}),
    ],
)
def test_a_field_that_is_not_supported_is_refused(kind: type[bodies.Body], body: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="JSON body") as refused:
        bodies.decode(msgspec.json.encode(body), kind)
    assert refused.value.status == 400
