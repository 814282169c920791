"""A consumer that does not move on is found out; one that waits for a good reason is not."""

import pytest

from riskee.errors import FatalError
from serving.consumers.progress import Progress
from tests.unit.seconds import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress("record-quotes", 60.0, clock)


def test_messages_that_wait_too_long_end_the_process(clock: Clock, progress: Progress) -> None:
    clock.now += 60.0
    progress.check(7)
    clock.now += 0.1
    with pytest.raises(FatalError, match="record-quotes: 7 messages wait and none was finished for 60 s"):
        progress.check(7)


def test_finished_work_starts_the_time_anew(clock: Clock, progress: Progress) -> None:
    clock.now += 50.0
    progress.made()
    clock.now += 50.0
    progress.check(7)


def test_where_nothing_waits_nothing_is_missed(clock: Clock, progress: Progress) -> None:
    clock.now += 1000.0
    progress.check(0)
    clock.now += 50.0
    progress.check(7)
