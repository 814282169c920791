"""What this front refuses, in Qdrant's words where Qdrant has them."""

from riskee.errors import PoisonError


class RequestError(PoisonError):
    """A request that is wrong or not supported here; `status` is the HTTP status of the answer."""

    def __init__(self, status: int, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)
        self.status = status


def bad(cause: str) -> RequestError:
    """The request itself is wrong (400)."""
    return RequestError(400, f"Wrong input: {cause}")


def unsupported(what: str) -> RequestError:
    """Valid for a Qdrant server, not for this front (501)."""
    return RequestError(501, f"Not supported by the embedded vector server: {what}", "use a Qdrant server for it")
