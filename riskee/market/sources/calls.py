"""Calls to a vendor: paced, and repeated where that may help. Needs the extra `vendors`."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.market.sources.pacing import Pacer, retry_after
from riskee.settings import VendorSettings

_log = logging.getLogger(__name__)

# The first wait and the longest one, in seconds; each is drawn anew between half of it and all of it.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
# A vendor that asks for a longer pause than this is left alone: whoever fetches tries again later.
_PATIENCE = 300.0
_LATER = frozenset({408, 425, 429})


class Answer(Protocol):
    """What the HTTP libraries of both vendors return."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str | None]: ...


A = TypeVar("A", bound=Answer)


class _TryAgainError(Exception):
    """A request that may succeed later; `after` is how long the vendor wants to be left alone, in seconds."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


@dataclass
class Caller:
    """Sends one vendor's requests one after another, at most so many a minute."""

    vendor: str
    settings: VendorSettings
    clock: Clock
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    _pacer: Pacer = field(init=False)

    def __post_init__(self) -> None:
        self._pacer = Pacer(self.settings.requests_per_minute, self.monotonic)

    def __call__(self, send: Callable[[], A]) -> A:
        """The vendor's answer, whatever it is but one that says "later": status 408, 425, 429 or 5xx.

        Those, and connections that fail or time out (OSError), are tried again after Retry-After, or after
        exponentially longer pauses. Raises RetryableError when nothing helped.
        """
        attempts = Retrying(
            sleep=self.sleep,
            stop=stop_after_attempt(self.settings.retries + 1),
            wait=self._wait,
            retry=retry_if_exception_type(_TryAgainError),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            answer: A = attempts(self._once, send)
        except _TryAgainError as error:
            raise RetryableError(f"{self.vendor} {error}", "try again later; what was stored stays") from error
        return answer

    def pace(self) -> None:
        """Wait until the next request may begin."""
        pause = self._pacer.pause()
        if pause:
            self.sleep(pause)

    def _once(self, send: Callable[[], A]) -> A:
        self.pace()
        try:
            answer = send()
        except OSError as error:
            raise _TryAgainError(f"does not answer: {type(error).__name__}") from error
        if answer.status_code not in _LATER and answer.status_code < 500:
            return answer
        wanted = retry_after(answer.headers.get("Retry-After") or "", self.clock.now())
        if wanted is not None and wanted > _PATIENCE:
            raise RetryableError(
                f"{self.vendor} answers {answer.status_code} and wants no request for {wanted:.0f} s", "try again then"
            )
        raise _TryAgainError(f"answers {answer.status_code}", wanted)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wanted = error.after if isinstance(error, _TryAgainError) else None
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (state.attempt_number - 1))
        # Jitter comes on top of what the vendor wants, so that not all clients return at the same moment.
        return longest * (0.5 + 0.5 * self.chance()) if wanted is None else wanted + self.chance()

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("%s %s; trying again in %.1f s", self.vendor, error, state.upcoming_sleep)
