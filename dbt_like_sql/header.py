"""The YAML header of a model file: what the model is, what its columns mean, what must hold for its rows."""

import re
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import yaml

from dbt_like_sql.errors import ModelError

_OPEN, _CLOSE = "/*", "*/"
# Names stand in SQL as they are, without quotes.
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column and its tests; a missing value breaks `not_null` only."""

    description: str
    unit: str = ""
    not_null: bool = False
    # Bounds of the values, both included.
    range: tuple[float | None, float | None] | None = None
    # Values outside of the range are kept and told.
    warn: bool = False
    accepted_values: tuple[str, ...] = ()
    # Every value is one of this `name.column`; the query reads `name`.
    relationship: str | None = None


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The header's fields."""

    name: str
    materialized: Literal["view", "table", "incremental"]
    description: str
    columns: dict[str, Column]
    # Where the relation lives; the model's folder by default.
    schema: str | None = None
    # No two rows share these columns; a run writes only rows that are new or differ.
    unique_key: tuple[str, ...] = ()
    # The date of a row, part of the key: what changes upstream on a day changes rows of that day and later ones.
    cut_by: str | None = None
    # Part of the key: rows of one value depend only on upstream rows of this value, where these have the column.
    split_by: str | None = None
    # Days: a row depends also on upstream rows that lie up to so many days after it.
    looks_ahead: int = 0
    # A test: fewer rows than this are a failure.
    minimum_rows: int = 0


class TestHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The header of a test of its own."""

    name: str
    description: str


T = TypeVar("T", Header, TestHeader)


def split(path: Path, text: str, kind: type[T]) -> T:
    """The header at the beginning of the text. Raises ModelError."""
    end = text.find(_CLOSE)
    if not text.startswith(_OPEN) or end < 0:
        raise ModelError(path, 1, "the file does not begin with a header", f"put YAML between {_OPEN} and {_CLOSE}")
    header = _parse(path, text, kind)
    _check_name(path, text, "name", header.name)
    if header.name != path.stem:
        raise ModelError(path, line_of(text, "name"), f"{header.name} lies in a file of another name")
    if isinstance(header, Header):
        _check(path, text, header)
    return header


def query_of(text: str) -> str:
    """The SQL that follows the header."""
    return text[text.index(_CLOSE) + len(_CLOSE) :].strip()


def line_of(text: str, *keys: str) -> int:
    """The line of a field of the header, or of the innermost field around it that is there."""
    node, line = yaml.compose(_yaml(text), yaml.SafeLoader), 1
    for key in keys:
        fields = node.value if isinstance(node, yaml.MappingNode) else []
        found = next(((name, value) for name, value in fields if name.value == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _yaml(text: str) -> str:
    return text[len(_OPEN) : text.index(_CLOSE)]


def _check_name(path: Path, text: str, field: str, name: str, *within: str) -> None:
    if not _NAME.fullmatch(name):
        cause = f"{name!r} is not a name: small letters, digits and underscores, a letter first"
        raise ModelError(path, line_of(text, *within, field), cause)


def _check(path: Path, text: str, header: Header) -> None:
    _check_name(path, text, "schema", header.schema or path.parent.name)
    for name, column in header.columns.items():
        _check_name(path, text, name, name, "columns")
        if column.warn and column.range is None:
            raise ModelError(path, line_of(text, "columns", name), f"{name} has no range of which to warn")
    if header.materialized == "incremental" and not (header.unique_key and header.cut_by):
        raise ModelError(path, line_of(text, "materialized"), "an incremental model needs unique_key and cut_by")
    for field, names in (
        ("unique_key", header.unique_key),
        ("cut_by", (header.cut_by,)),
        ("split_by", (header.split_by,)),
    ):
        unknown = sorted(str(name) for name in set(names) - {None} - header.columns.keys())
        if unknown:
            raise ModelError(path, line_of(text, field), f"the header uses undeclared columns: {', '.join(unknown)}")
    outside = {header.cut_by, header.split_by} - {None, *header.unique_key}
    if outside:
        raise ModelError(path, line_of(text, "unique_key"), f"not in the unique_key: {', '.join(map(str, outside))}")


def _parse(path: Path, text: str, kind: type[T]) -> T:
    content: Any = None
    try:
        content = yaml.safe_load(_yaml(text))
        return msgspec.convert(content, kind)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ModelError(path, line, f"the header is not YAML: {error.problem}") from error
    except msgspec.ValidationError as error:
        line = line_of(text, *_wrong_field(str(error), content))
        raise ModelError(path, line, f"the header does not fit: {error}") from error


def _wrong_field(error: str, content: Any) -> list[str]:
    """The way to the field that an error of msgspec is about; it does not say which of the columns it is."""
    unknown = re.search(r"unknown field `(.+?)`", error)
    way = re.search(r"`\$(.*)`", error)
    keys = re.findall(r"\w+|\.\.\.", way[1]) if way else []
    if "..." in keys:
        keys[keys.index("...")] = next(name for name, column in content["columns"].items() if not _is_column(column))
    return [*keys, *([unknown[1]] if unknown else [])]


def _is_column(content: Any) -> bool:
    try:
        msgspec.convert(content, Column)
    except msgspec.ValidationError:
        return False
    return True
