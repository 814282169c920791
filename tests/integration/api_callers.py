"""Callers of the API, good and bad, for the tests of its security."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from pydantic import SecretStr
from sqlalchemy import Engine

from riskee.access.api_keys import make_key
from riskee.access.grants import ALL_GRANTS, Grant
from riskee.settings import GuardSettings, JwtSettings, LimitSettings, Settings
from riskee.storage.api_keys import StoredKey, add_key

ISSUER, AUDIENCE, KID = "https://login.example", "riskee", "2026-11"
SHARED = "planted-shared-secret-of-the-tokens-" * 2
PEPPER = "planted-pepper"
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def guarded(settings: Settings, **limits: Any) -> Settings:
    """The settings of an API that asks for credentials, keys or HS256 tokens.

    It is patient with Redis, whose slowness on a busy machine would let requests pass uncounted.
    """
    api = settings.api.model_copy(
        update={
            "guard": GuardSettings(require_credentials=True, key_pepper=SecretStr(PEPPER)),
            "jwt": JwtSettings(keys={KID: SecretStr(SHARED)}, issuer=ISSUER, audience=AUDIENCE, leeway_seconds=0),
            "limits": LimitSettings(**{"key_per_minute": 100_000, "address_per_minute": 100_000, **limits}),
        }
    )
    redis = settings.redis.model_copy(update={"timeout_seconds": 20.0})
    return settings.model_copy(update={"api": api, "redis": redis})


def key_for(
    engine: Engine,
    grants: Collection[Grant] = ALL_GRANTS,
    *,
    ended: timedelta | None = None,
    revoked: bool = False,
    pepper: str = PEPPER,
) -> str:
    """A stored key; `ended` ago, or revoked, where that is said."""
    made = make_key(pepper)
    now = datetime.now(UTC)
    stored = StoredKey(made.key_id, "test", made.digest, frozenset(grants), _LONG_AGO)
    if ended is not None:
        stored = replace(stored, expires_at=now - ended)
    if revoked:
        stored = replace(stored, revoked_at=now)
    with engine.begin() as connection:
        add_key(connection, stored)
    return made.token


def claims(grants: Collection[Grant] = ALL_GRANTS, **other: Any) -> dict[str, Any]:
    """What a good token says, with changes; a claim that is None is left out."""
    said = {
        "sub": "someone", "iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 300, "scope": " ".join(grants)
    }  # fmt: skip
    return {name: value for name, value in {**said, **other}.items() if value is not None}


def token(said: dict[str, Any], *, key: str = SHARED, algorithm: str = "HS256", kid: str | None = KID) -> str:
    """A signed token."""
    return jwt.encode(said, key, algorithm, headers={"kid": kid} if kid else None)


def unsigned(said: dict[str, Any]) -> str:
    """A token that says of itself that nobody signed it."""
    parts = ({"alg": "none", "typ": "JWT", "kid": KID}, said)
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}
