"""When a server that fails is asked again, on a clock of the test."""

import pytest

from riskee.breaker import Breaker
from tests.unit.seconds import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock, limit=2, rest_seconds=60.0)


def test_only_failures_in_a_row_count(breaker: Breaker) -> None:
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()


def test_after_the_rest_one_caller_tries_for_all(clock: Clock, breaker: Breaker) -> None:
    breaker.failed()
    breaker.failed()
    clock.now += 59.0
    assert not breaker.allows()
    clock.now += 1.0
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True, True, True]


def test_a_try_that_fails_begins_another_rest(clock: Clock, breaker: Breaker) -> None:
    breaker.failed()
    breaker.failed()
    clock.now += 60.0
    assert breaker.allows()
    clock.now += 5.0
    breaker.failed()
    clock.now += 59.0
    assert not breaker.allows()
    clock.now += 1.0
    assert breaker.allows()


def test_a_try_that_never_ends_is_followed_by_another(clock: Clock, breaker: Breaker) -> None:
    breaker.failed()
    breaker.failed()
    clock.now += 60.0
    assert breaker.allows()
    clock.now += 60.0
    assert breaker.allows()
