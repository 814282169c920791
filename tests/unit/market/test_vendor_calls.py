"""Calls to a vendor: pace, pauses and giving up, on a clock that nobody waits for."""

from dataclasses import dataclass, field

import pytest

from riskee.clock import FixedClock
from riskee.errors import RetryableError
from riskee.market.sources.calls import Caller
from riskee.settings import VendorSettings
from tests.unit.market.frames import NOW


@dataclass
class Said:
    """An answer."""

    status_code: int
    headers: dict[str, str | None] = field(default_factory=dict)


def caller(slept: list[float], chance: float = 1.0, **settings: float) -> Caller:
    chosen = VendorSettings(**{"requests_per_minute": 6000, **settings})
    return Caller("Vendor", chosen, FixedClock(NOW), slept.append, lambda: sum(slept), lambda: chance)


def pauses(chance: float, *answers: Said | OSError, **settings: float) -> list[float]:
    """How long a caller sleeps before each repetition, until there is an answer that it takes."""
    slept: list[float] = []
    waiting = list(answers)

    def send() -> Said:
        answer = waiting.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    caller(slept, chance, **settings)(send)
    return slept


def test_pauses_grow_to_a_minute_with_jitter() -> None:
    busy = [Said(500)] * 8
    assert pauses(1.0, *busy, Said(200), retries=8) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pauses(0.0, *busy, Said(200), retries=8) == [0.5, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("fault", [Said(408), Said(429), Said(502), TimeoutError(), ConnectionResetError()])
def test_what_may_pass_is_tried_again(fault: Said | OSError) -> None:
    assert pauses(1.0, fault, Said(200)) == [1.0]


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 422])
def test_what_will_not_pass_is_the_callers(status: int) -> None:
    assert pauses(1.0, Said(status)) == []


@pytest.mark.parametrize("header", ["", "soon", "-3", None])
def test_a_header_that_says_nothing_leaves_it_to_the_pauses(header: str | None) -> None:
    assert pauses(1.0, Said(429, {"Retry-After": header}), Said(200)) == [1.0]


def test_a_date_that_is_over_is_no_pause_but_the_jitter() -> None:
    assert pauses(0.25, Said(429, {"Retry-After": "Mon, 02 Jul 2012 00:00:00 GMT"}), Said(200)) == [0.25]


def test_no_retries_is_one_request() -> None:
    with pytest.raises(RetryableError, match="Vendor answers 500"):
        pauses(1.0, Said(500), Said(200), retries=0)


def test_requests_begin_a_minutes_share_apart() -> None:
    slept: list[float] = []
    call = caller(slept, requests_per_minute=30)
    for _ in range(3):
        call(lambda: Said(200))
    assert slept == [2.0, 2.0]
