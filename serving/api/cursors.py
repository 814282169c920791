"""Cursors: places in a list, as text that means nothing to who passes it on."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from http import HTTPStatus
from typing import TypeVar

import msgspec

from serving.api.problems import ProblemError

PlaceT = TypeVar("PlaceT")


def cursor_of(place: object) -> str:
    """The cursor of a place, which is a struct or dataclass of plain values."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(cursor: str, kind: type[PlaceT]) -> PlaceT:
    """The place of a cursor. Raises ProblemError (422) where it is none of this kind."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "bad_cursor",
            "the cursor is not one of this list",
            "take `next` of the page before as it is, or leave it out to begin with the first page",
        ) from error
