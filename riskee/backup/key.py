"""The key that backups are encrypted with."""

import base64
import binascii

from riskee.errors import FatalError
from riskee.settings import BackupSettings

KEY_BYTES = 32
_HOW = "make one: `head -c 32 /dev/urandom | base64 > backup.key`, and keep a copy elsewhere"


def read_key(settings: BackupSettings) -> bytes | None:
    """32 bytes, or None where backups are not encrypted. Raises FatalError for a text that is no key."""
    if settings.key is None:
        return None
    text = settings.key.get_secret_value().strip()
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FatalError("the key for backups is not base64", _HOW) from error
    if len(key) != KEY_BYTES:
        raise FatalError(f"the key for backups has {len(key)} bytes, not {KEY_BYTES}", _HOW)
    return key
