"""Waiting for a server: for ever, visibly, and not when asked to stop."""

import asyncio

import pytest

from riskee.errors import FatalError, RetryableError
from serving import patience
from serving.health import Health
from serving.patience import StoppedError, finish, pause, until_done


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)


async def test_it_goes_on_until_the_action_succeeds() -> None:
    health, seen = Health("test"), []

    async def action() -> str:
        seen.append(health.report()["dependencies"])
        if len(seen) < 4:
            raise RetryableError(f"away {len(seen)}")
        return "done"

    assert await until_done(action, dependency="database", health=health, stopping=asyncio.Event()) == "done"
    assert seen == [{}, {"database": "away 1"}, {"database": "away 2"}, {"database": "away 3"}]
    assert health.ready


async def test_a_stop_ends_the_waiting() -> None:
    health, stopping = Health("test"), asyncio.Event()

    async def action() -> None:
        stopping.set()
        raise RetryableError("away")

    with pytest.raises(StoppedError):
        await until_done(action, dependency="database", health=health, stopping=stopping)
    assert not health.ready


async def test_other_errors_pass() -> None:
    async def action() -> None:
        raise FatalError("broken")

    with pytest.raises(FatalError):
        await until_done(action, dependency="x", health=Health("test"), stopping=asyncio.Event())


async def test_a_pause_is_cut_short_by_a_stop() -> None:
    stopping = asyncio.Event()
    stopping.set()
    await asyncio.wait_for(pause(600, stopping), 60)


async def test_work_that_ends_is_waited_for_and_its_error_is_the_callers() -> None:
    stopping = asyncio.Event()
    stopping.set()
    done = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.append(True)
        raise FatalError("broken")

    with pytest.raises(FatalError):
        await finish(work(), stopping, 60)
    assert done


async def test_work_that_does_not_end_is_left_after_a_stop() -> None:
    stopping, left = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    task = asyncio.create_task(finish(work(), stopping, 0.01))
    await asyncio.sleep(0.05)
    assert not task.done(), "without being asked to stop it goes on"
    stopping.set()
    await asyncio.wait_for(task, 60)
    assert left.is_set()
