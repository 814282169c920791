"""What this front refuses."""

from riskee.errors import PoisonError


class ApiError(PoisonError):
    """A request that cannot be answered; `status` is the HTTP status, the cause is the text Ollama's client shows."""

    def __init__(self, status: int, cause: str) -> None:
        super().__init__(cause)
        self.status = status
