"""The one tree of errors.

RiskeeError
├── RetryableError   the same call may succeed later: a server is down, a timeout
├── PoisonError      this input can never succeed: it goes to quarantine, the rest goes on
│   └── NotFoundError    what was asked for does not exist
└── FatalError       the process cannot go on: wrong setting, missing file, full disk
"""


class RiskeeError(Exception):
    """An error that names its cause and the next step for the person who reads it."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause} — {remedy}" if remedy else cause)
        self.cause = cause
        self.remedy = remedy


class RetryableError(RiskeeError):
    """The same call may succeed later."""


class PoisonError(RiskeeError):
    """This input can never be processed, whatever is tried."""


class NotFoundError(PoisonError):
    """The thing asked for does not exist."""


class FatalError(RiskeeError):
    """The process cannot continue."""
