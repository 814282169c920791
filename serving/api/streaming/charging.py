"""What requests of a stream count, beside the connection: as much as over HTTP."""

from collections.abc import Collection

from starlette.requests import HTTPConnection

from serving.api.security.guard import DeniedError, Guard
from serving.api.streaming.update import ALL

# As many are named by each KiB of `POST /v1/predict`, which counts as a request.
_TICKERS_A_REQUEST = 128
# The most that there are, which `*` stands for.
_ALL_TICKERS = 5000


def weight(tickers: Collection[str]) -> int:
    """How many requests the tickers of one are, besides itself."""
    return (_ALL_TICKERS if ALL in tickers else len(tickers)) // _TICKERS_A_REQUEST


async def charge(connection: HTTPConnection, requests: int) -> None:
    """Count so many requests for whoever has this connection. Raises ProblemError (429), and counts none, where that is
    more than the limit."""
    state = connection.scope["state"]
    guard: Guard = state["guard"]
    try:
        await guard.count(state["caller"], requests)
    except DeniedError as denied:
        guard.refusals.note(connection.scope, denied.caller, connection.scope["path"], denied.problem)
        raise denied.problem from denied
