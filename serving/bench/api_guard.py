"""A caller with a key, and an API that asks for it and counts, with limits that the load does not reach."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection

from riskee.access.api_keys import make_key
from riskee.access.grants import Grant
from riskee.storage.api_keys import StoredKey, add_key

_PER_MINUTE = str(100_000_000)
GUARDED: Mapping[str, str] = {
    "RISKEE_API__GUARD__REQUIRE_CREDENTIALS": "true",
    "RISKEE_API__LIMITS__KEY_PER_MINUTE": _PER_MINUTE,
    "RISKEE_API__LIMITS__ADDRESS_PER_MINUTE": _PER_MINUTE,
}
"""Settings of such an API."""


def make_caller(connection: Connection) -> str:
    """A new key that may read predictions."""
    made = make_key("")
    add_key(
        connection,
        StoredKey(made.key_id, "bench", made.digest, frozenset({Grant.PREDICTIONS_READ}), datetime.now(UTC)),
    )
    return made.token
