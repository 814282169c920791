"""Qdrant's filters, from JSON to the engine's objects. What is not understood is refused, never dropped."""

from typing import Any
from uuid import UUID

import qdrant_edge as edge

from infra.embedded.qdrant_front.refusal import bad, unsupported
from infra.embedded.qdrant_front.requests import PointId

_CLAUSES = {"must", "should", "must_not"}
_BOUNDS = {"gt", "gte", "lt", "lte"}


def to_filter(raw: dict[str, Any] | None) -> edge.Filter | None:
    """A filter object, or None for none. Raises RequestError for anything unknown or unsupported."""
    if raw is None:
        return None
    _only(raw, _CLAUSES, "filter")
    clauses: dict[str, Any] = {clause: _conditions(raw[clause]) for clause in raw if raw[clause] is not None}
    return edge.Filter(**clauses)


def to_point_id(raw: PointId) -> int | UUID:
    """An engine's point id: an unsigned integer or a UUID."""
    if isinstance(raw, int):
        if isinstance(raw, bool) or not 0 <= raw < 1 << 64:
            raise bad(f"point id {raw} is not an unsigned 64-bit integer")
        return raw
    try:
        return UUID(raw)
    except ValueError as error:
        raise bad(f"point id {raw!r} is neither an unsigned integer nor a UUID") from error


def _conditions(raw: Any) -> list[Any]:
    """A clause holds a list of conditions or just one."""
    return [_condition(one) for one in (raw if isinstance(raw, list) else [raw])]


def _condition(raw: Any) -> Any:
    if not isinstance(raw, dict):
        raise bad(f"a filter condition is an object, not {raw!r}")
    if "key" in raw:
        return _field_condition(raw)
    if raw.keys() == {"has_id"} and isinstance(raw["has_id"], list):
        return edge.HasIdCondition({to_point_id(one) for one in raw["has_id"]})
    if raw.keys() == {"is_empty"}:
        return edge.IsEmptyCondition(_key(raw["is_empty"]))
    if raw.keys() == {"is_null"}:
        return edge.IsNullCondition(_key(raw["is_null"]))
    if raw.keys() & _CLAUSES:
        return to_filter(raw)
    raise unsupported(f"filter condition with {', '.join(map(repr, raw)) or 'nothing in it'}")


def _key(raw: Any) -> str:
    if isinstance(raw, dict) and raw.keys() == {"key"} and isinstance(raw["key"], str):
        return raw["key"]
    raise bad(f"expected an object with a key, not {raw!r}")


def _field_condition(raw: dict[str, Any]) -> edge.FieldCondition:
    given = {name: value for name, value in raw.items() if value is not None}
    _only(given, {"key", "match", "range"}, "field condition")
    if not isinstance(given.get("key"), str) or len(given) != 2:
        raise bad(f"a field condition has a key and either match or range, not {raw!r}")
    if "match" in given:
        return edge.FieldCondition(given["key"], match=_match(given["match"]))
    return edge.FieldCondition(given["key"], range=_range(given["range"]))


def _match(raw: Any) -> Any:
    if not isinstance(raw, dict) or len(raw) != 1:
        raise bad(f"match is an object with one of value, any, except, not {raw!r}")
    ((kind, value),) = raw.items()
    if kind == "value":
        return edge.MatchValue(_scalar(value))
    if kind in {"any", "except"}:
        values: Any = [_scalar(one) for one in value] if isinstance(value, list) else None
        if values is None or len({type(one) for one in values}) > 1:
            raise bad(f"match {kind} takes a list of strings or a list of integers, not {value!r}")
        return edge.MatchAny(values) if kind == "any" else edge.MatchExcept(values)
    raise unsupported(f"match by {kind!r}")


def _scalar(value: Any) -> str | int:
    # The engine matches nothing on booleans and says nothing: that would be a wrong result.
    if isinstance(value, bool):
        raise bad("match on booleans is not supported by the embedded vector server; store flags as keywords")
    if isinstance(value, str | int):
        return value
    raise bad(f"match takes strings and integers, not {value!r}")


def _range(raw: Any) -> Any:
    """Bounds that are strings make a range of datetimes, as in Qdrant."""
    if not isinstance(raw, dict):
        raise bad(f"range is an object, not {raw!r}")
    bounds = {name: value for name, value in raw.items() if value is not None}
    _only(bounds, _BOUNDS, "range")
    values = list(bounds.values())
    if values and all(isinstance(value, str) for value in values):
        try:
            return edge.RangeDateTime(**bounds)
        except ValueError as error:
            raise bad(f"range {raw!r}: {error}") from error
    if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return edge.RangeFloat(**bounds)
    raise bad(f"range bounds are all numbers or all datetimes, not {raw!r}")


def _only(raw: dict[str, Any], known: set[str], what: str) -> None:
    if unknown := raw.keys() - known:
        raise unsupported(f"{what} with {', '.join(sorted(map(repr, unknown)))}")
