"""The API keys, as they were read a moment ago."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from riskee.access.api_keys import Presented, matches
from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.storage.api_keys import StoredKey
from serving.api.security.caller import Caller

# A revoked key is refused after so long at most.
REFRESH_SECONDS = 2.0
# A new key must not be refused to who made it just now; guesses must not turn into queries.
_LOOK_AGAIN_SECONDS = 1.0
# While the database is away nobody can revoke a key through it, but a partition may hide it from this process alone.
_TRUSTED_SECONDS = 900.0
# When keys were used is written so often at most.
_NOTED_SECONDS = 60.0

_log = get_logger(__name__)


@dataclass
class Keyring:
    """All keys in memory: no request waits for the database, and a flood of wrong keys does not reach it."""

    clock: Clock
    pepper: str
    read: Callable[[], Awaitable[Sequence[StoredKey]]] | None = None
    note: Callable[[Mapping[str, datetime]], Awaitable[None]] | None = None
    on_ended: Callable[[str], None] = lambda _key_id: None
    monotonic: Callable[[], float] = time.monotonic
    former_pepper: str | None = None
    _keys: dict[str, StoredKey] = field(default_factory=dict)
    # What each secret was found to open. As the keys are read anew their objects are others: it is proven anew.
    _proven: dict[Presented, StoredKey] = field(default_factory=dict)
    _read_at: float | None = None
    _tried_at: float = float("-inf")
    # When each key was used last, of those that were since that was written.
    _used: dict[str, datetime] = field(default_factory=dict)
    _noted_at: float = float("-inf")
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self) -> None:
        """Read the keys again and again."""
        away = False
        while True:
            try:
                await self.refresh()
                await self.note_used()
                away = False
            except RetryableError as error:
                if not away:
                    _log.warning("going on with the keys that were read before", cause=str(error))
                away = True
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read the keys. Raises RetryableError where the database does not answer."""
        # One at a time: a read that began before another must not bring back what that one saw revoked.
        async with self._reading:
            await self._read()

    async def note_used(self) -> None:
        """Write when keys were used, unless that was done a moment ago. Raises as `refresh`."""
        if self.note is None or not self._used or self.monotonic() - self._noted_at < _NOTED_SECONDS:
            return
        used, self._used = self._used, {}
        try:
            await self.note(used)
        except RetryableError:
            self._used = used | self._used
            raise
        self._noted_at = self.monotonic()

    async def _read(self) -> None:
        if self.read is None:
            raise RetryableError("the keys cannot be read before the API has started")
        self._tried_at = self.monotonic()
        found = {key.key_id: key for key in await self.read()}
        self._read_at = self.monotonic()
        known, self._keys, self._proven = self._keys, found, {}
        now = self.clock.now()
        ended = {key_id for key_id, key in found.items() if key.ended_at(now)}
        for key_id in sorted(ended | (known.keys() - found.keys())):
            self.on_ended(key_id)

    async def caller(self, presented: Presented) -> Caller | None:
        """Who this key is of, None where it is wrong, revoked or expired.

        Raises RetryableError where the keys were not read for too long to be trusted.
        """
        if presented.key_id not in self._keys:
            await self._look_again()
        if self._read_at is None or self.monotonic() - self._read_at > _TRUSTED_SECONDS:
            raise RetryableError("the API keys cannot be read", "see `riskee status` for the database, and try again")
        key = self._keys.get(presented.key_id)
        now = self.clock.now()
        if key is None or not self._opens(presented, key) or key.ended_at(now):
            return None
        self._used[key.key_id] = now
        expires_at = None if key.expires_at is None else key.expires_at.timestamp()
        return Caller(key.key_id, "key", key.grants, expires_at)

    def _opens(self, presented: Presented, key: StoredKey) -> bool:
        if self._proven.get(presented) is key:
            return True
        peppers = (self.pepper,) if self.former_pepper is None else (self.pepper, self.former_pepper)
        if not any(matches(presented, key.digest, pepper) for pepper in peppers):
            return False
        self._proven[presented] = key
        return True

    async def _look_again(self) -> None:
        """A key may be new. One look for all who wait, and none soon after another."""
        try:
            # For another's look too: the database may hang.
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS), self._reading:
                if self.monotonic() - self._tried_at >= _LOOK_AGAIN_SECONDS:
                    await self._read()
        except (RetryableError, TimeoutError) as error:
            _log.debug("the keys could not be read again", cause=str(error))
