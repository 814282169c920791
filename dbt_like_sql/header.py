"""The YAML header of a model file: what the model is, what its columns mean, what must hold for its rows."""

from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from dbt_like_sql.errors import ModelError

_OPEN, _CLOSE = "/*", "*/"


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column. `range` bounds its values, both ends included; a missing value breaks `not_null` only."""

    description: str
    unit: str = ""
    not_null: bool = False
    range: tuple[float | None, float | None] | None = None


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The header's fields."""

    name: str
    materialized: Literal["view", "table", "incremental"]
    description: str
    columns: dict[str, Column]
    # Where the relation lives; the model's folder by default.
    schema: str | None = None
    # No two rows share these columns; an incremental model replaces rows by them.
    unique_key: tuple[str, ...] = ()
    # An incremental model replaces the rows whose value in this column is not before the parameter `since`.
    cut_by: str | None = None


def split(path: Path, text: str) -> tuple[Header, int]:
    """The header and the offset at which the SQL begins. Raises ModelError."""
    end = text.find(_CLOSE)
    if not text.startswith(_OPEN) or end < 0:
        raise ModelError(path, 1, "the file does not begin with a header", f"put YAML between {_OPEN} and {_CLOSE}")
    header = _parse(path, text[len(_OPEN) : end])
    if header.materialized == "incremental" and not (header.unique_key and header.cut_by):
        raise ModelError(path, 1, "an incremental model needs unique_key and cut_by")
    unknown = ({*header.unique_key, header.cut_by} - {None}) - header.columns.keys()
    if unknown:
        raise ModelError(path, 1, f"the header uses undeclared columns: {', '.join(sorted(map(str, unknown)))}")
    return header, end + len(_CLOSE)


def _parse(path: Path, text: str) -> Header:
    try:
        content: Any = yaml.safe_load(text)
        return msgspec.convert(content, Header)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ModelError(path, line, f"the header is not YAML: {error.problem}") from error
    except msgspec.ValidationError as error:
        raise ModelError(path, 1, f"the header does not fit: {error}") from error
