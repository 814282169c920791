"""API keys: `rk_<id>_<secret>`. The id names the key in lists and logs, the secret is shown once and never stored."""

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

MARK = "rk"
_ID_BYTES = 6
# As hard to guess as the key of a cipher: no slow hash is needed to protect it (docs/adr/0115).
_SECRET_BYTES = 32
_LONGEST = 128


class Presented(NamedTuple):
    """A key as a caller presents it."""

    key_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `token` is what its owner keeps."""

    key_id: str
    digest: bytes
    token: str


def make_key(pepper: str, random: Callable[[int], bytes] = secrets.token_bytes) -> NewKey:
    """A key nobody can guess."""
    key_id = random(_ID_BYTES).hex()
    secret = urlsafe_b64encode(random(_SECRET_BYTES)).rstrip(b"=").decode()
    return NewKey(key_id, digest_of(Presented(key_id, secret), pepper), f"{MARK}_{key_id}_{secret}")


def parse_key(token: str) -> Presented | None:
    """Id and secret of what looks like a key."""
    mark, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    if mark != MARK or not key_id or not secret or len(token) > _LONGEST:
        return None
    return Presented(key_id, secret)


def digest_of(key: Presented, pepper: str) -> bytes:
    """What is stored of a key: HMAC-SHA-256 of its secret, under the pepper and its id."""
    return hmac.digest(f"{pepper}\x1f{key.key_id}".encode(), key.secret.encode(), "sha256")


def matches(key: Presented, digest: bytes, pepper: str) -> bool:
    """Whether this is the key that the digest was made of, in a time that tells nothing."""
    return hmac.compare_digest(digest_of(key, pepper), digest)
