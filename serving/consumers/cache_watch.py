"""Asks a cache that went away whether it is back."""

import asyncio

from riskee.errors import RetryableError
from riskee.storage.cache import Cache
from serving.health import Health
from serving.patience import pause

LOOK_SECONDS = 1.0


async def watch_cache(cache: Cache, health: Health, stopping: asyncio.Event) -> None:
    """Tell the health when a cache that did not answer does so again, until the process is asked to stop.

    The next thing to be written may be days off: after the market's close, or where explanations are rare. One that
    answers, but refuses what is written, is not asked: that it answers would be no news.
    """
    away = False
    while not stopping.is_set():
        await pause(LOOK_SECONDS, stopping)
        # Kept until it is told: a read that went well tells nobody.
        away = away or cache.away
        if not away:
            continue
        try:
            await cache.ping()
        except RetryableError:
            continue  # who met it first has said why
        health.up("redis")
        away = False
