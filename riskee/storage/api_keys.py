"""API keys as they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update

from riskee.access.grants import Grant, known_grants
from riskee.errors import NotFoundError
from riskee.storage.tables import api_keys


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key, of which only the digest is known. Where `expires_at` is None it lives until it is revoked; `last_used_at`
    is told to within a minute."""

    key_id: str
    name: str
    digest: bytes
    grants: frozenset[Grant]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def ended_at(self, now: datetime) -> bool:
        """Whether it is good no more."""
        return self.revoked_at is not None or (self.expires_at is not None and now >= self.expires_at)


def add_key(connection: Connection, key: StoredKey) -> None:
    """Store a new key."""
    connection.execute(
        insert(api_keys).values(
            key_id=key.key_id,
            name=key.name,
            digest=key.digest,
            scopes=sorted(key.grants),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )
    )


def replace_digest(connection: Connection, key_id: str, digest: bytes) -> None:
    """Let a key be known by another digest."""
    connection.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(digest=digest))


def revoke_key(connection: Connection, key_id: str, at: datetime) -> None:
    """Let a key be good no more; one that was revoked before keeps its moment. Raises NotFoundError for another id."""
    known = connection.scalar(select(api_keys.c.key_id).where(api_keys.c.key_id == key_id))
    if known is None:
        raise NotFoundError(f"there is no key {key_id[:32]}", "`riskee keys list` names them")
    live = (api_keys.c.key_id == key_id) & api_keys.c.revoked_at.is_(None)
    connection.execute(update(api_keys).where(live).values(revoked_at=at))


def note_used(connection: Connection, used: Mapping[str, datetime]) -> None:
    """Note when keys were last used; a later moment that another process noted stays."""
    newest = func.greatest(api_keys.c.last_used_at, bindparam("at"))
    statement = update(api_keys).where(api_keys.c.key_id == bindparam("used")).values(last_used_at=newest)
    connection.execute(statement, [{"used": key_id, "at": at} for key_id, at in used.items()])


def read_keys(connection: Connection) -> list[StoredKey]:
    """All keys, the newest first."""
    table = api_keys.c
    times = table.created_at, table.expires_at, table.revoked_at, table.last_used_at
    query = select(table.key_id, table.name, table.digest, table.scopes, *times)
    return [
        StoredKey(key_id, name, bytes(digest), known_grants(scopes), *moments)
        for key_id, name, digest, scopes, *moments in connection.execute(
            query.order_by(table.created_at.desc(), table.key_id)
        )
    ]
