"""Answers that are made once for all who ask for them."""

from dataclasses import dataclass
from typing import Self

from starlette.types import Receive, Scope, Send

from serving.api.answers import JSON
from serving.api.tags import tag_of

# An answer is the caller's own, and may have changed: no shared cache keeps it, and the caller's asks again.
REVALIDATE = "private, no-cache"


@dataclass(frozen=True, slots=True)
class Ready:
    """JSON with its ETag and its headers, and ASGI that sends them."""

    body: bytes
    tag: str
    headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, body: bytes) -> Self:
        """The answer with this body."""
        tag = tag_of(body)
        headers = (
            (b"etag", tag.encode()),
            (b"cache-control", REVALIDATE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", JSON.encode()),
        )
        return cls(body, tag, headers)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
