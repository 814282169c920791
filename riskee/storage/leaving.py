"""The end of a subscription."""

import asyncio
from contextlib import suppress

import nats
from nats.aio.subscription import Subscription

from riskee.logs import get_logger
from riskee.storage.bus import Bus

# A connection that is up hands over what it has read within milliseconds.
_LAST_MESSAGES_SECONDS = 2.0

_log = get_logger(__name__)


async def unsubscribe(bus: Bus, subscription: Subscription, name: str) -> None:
    """Receive no more for a durable of this name, and never again by itself."""
    if bus.connected:
        try:
            # Draining, not unsubscribing: what the client has read already arrives.
            await asyncio.wait_for(subscription.drain(), _LAST_MESSAGES_SECONDS)  # type: ignore[no-untyped-call]
            return
        except (nats.errors.Error, TimeoutError) as error:
            _log.warning("the bus is away", durable=name, cause=repr(error))
    # Otherwise the client would subscribe again with its next connection, beside who reads then.
    with suppress(nats.errors.Error):
        await subscription.unsubscribe()
