"""Reads that take their time hold up nothing else, and are not waited for without end."""

import asyncio
import threading

import pytest

from riskee.errors import RetryableError
from serving.consumers.lookups import Lookups


async def test_what_is_read_is_given_and_what_fails_is_raised() -> None:
    lookups = Lookups(1)
    assert await lookups.of(int, "7") == 7
    with pytest.raises(ValueError, match="seven"):
        await lookups.of(int, "seven")


async def test_a_database_that_hangs_is_given_up_and_other_threads_are_free() -> None:
    ended = threading.Event()
    lookups = Lookups(2, seconds=0.05)
    try:
        for _ in range(4):  # more than there are threads: who waits for one is no better off
            with pytest.raises(RetryableError, match="has not answered"):
                await lookups.of(ended.wait)
        assert await asyncio.to_thread(int, "7") == 7
    finally:
        ended.set()
