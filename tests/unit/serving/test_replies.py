"""What a client has already is not sent again."""

import pytest
from starlette.requests import Request

from serving.api.replies import kept, kept_body
from serving.api.tags import tag_of


def asking(known: str | None) -> Request:
    headers = [] if known is None else [(b"if-none-match", known.encode("latin-1"))]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


TAG = tag_of(b'{"a":1}')


@pytest.mark.parametrize(
    ("known", "status"),
    [
        (None, 200),
        ("", 200),
        (TAG, 304),
        (f"W/{TAG}", 304),
        (f'"x" , {TAG}', 304),
        ("*", 304),
        (TAG.strip('"'), 200),
        ('"x"', 200),
    ],
)
def test_a_body_that_is_known_is_left_out(known: str | None, status: int) -> None:
    response = kept(asking(known), {"a": 1})
    assert response.status_code == status
    assert response.body == (b"" if status == 304 else b'{"a":1}')
    assert (response.headers["etag"], response.headers["cache-control"]) == (TAG, "private, no-cache")


def test_every_change_has_another_tag() -> None:
    assert tag_of(b'{"a":1}') == TAG != tag_of(b'{"a":2}')
    assert kept_body(asking(TAG), b'{"a":2}', tag_of(b'{"a":2}')).status_code == 200
