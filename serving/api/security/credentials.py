"""What a caller shows: a key or token, in the header or, from a browser's WebSocket, as a subprotocol."""

from starlette.types import Scope

SUBPROTOCOL = "riskee.v1"
_BEARER_PROTOCOL = "riskee.bearer."
_LONGEST = 8192


def bearer(header: bytes | None) -> str | None:
    """The token of an `Authorization: Bearer` header. None: there is no header; empty: it is of another kind."""
    if header is None:
        return None
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > _LONGEST:
        return ""
    return token.strip().decode("latin-1")


def take_protocol_token(scope: Scope) -> str | None:
    """The token among the subprotocols that a WebSocket offers. It is taken out: nobody behind shall see or log it."""
    offered: list[str] = scope.get("subprotocols", [])
    tokens = [each for each in offered if each.startswith(_BEARER_PROTOCOL)]
    if not tokens:
        return None
    scope["subprotocols"] = [each for each in offered if each not in tokens]
    token = tokens[0].removeprefix(_BEARER_PROTOCOL)
    return token if len(token) <= _LONGEST else ""
