"""Who calls, once that is proven."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from starlette.requests import HTTPConnection

from riskee.access.grants import ALL_GRANTS, Grant
from serving.api.problems import ProblemError


@dataclass(frozen=True, slots=True)
class Caller:
    """A checked caller: `id` is the key's id or the token's subject. `expires_at` in seconds of Unix, None: never."""

    id: str
    kind: Literal["open", "key", "jwt"]
    scopes: frozenset[Grant]
    expires_at: float | None = None


# Whoever is on this machine, and whoever asks for what everybody may see.
OPEN = Caller("", "open", ALL_GRANTS)
NOBODY = Caller("", "open", frozenset())


def forbidden(grant: Grant) -> ProblemError:
    """The problem of a caller without this scope."""
    return ProblemError(
        HTTPStatus.FORBIDDEN,
        "forbidden",
        f"the credential does not have the scope {grant}",
        f"ask for one that has it: riskee keys create --scopes {grant}",
    )


def require(request: HTTPConnection, grant: Grant) -> None:
    """For a route where the scope depends on what is asked. Raises ProblemError (403)."""
    caller: Caller = request.scope["state"]["caller"]
    if grant not in caller.scopes:
        raise forbidden(grant)
