"""Whom a client of a server trusts: the system's authorities (or SSL_CERT_FILE's), and one that the settings name."""

import ssl
from pathlib import Path
from typing import Any

from riskee.errors import FatalError
from riskee.settings import RedisSettings


def trusting(authority: Path | None) -> ssl.SSLContext | None:
    """The context of a connection whose server may be certified by this authority; None where none is named.

    Raises FatalError for a file that holds no certificate.
    """
    if authority is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(authority)
    except OSError as error:  # ssl.SSLError is one
        raise FatalError(
            f"{authority} cannot be trusted: {error.strerror or error}", "name a file with a certificate (PEM)"
        ) from error
    return context


def redis_trust(settings: RedisSettings) -> dict[str, Any]:
    """The options of a client of Redis for it; none where the address does not ask for TLS."""
    if settings.authority is None or not settings.url.get_secret_value().startswith("rediss:"):
        return {}
    trusting(settings.authority)  # for what it raises: the client would say that Redis is away
    return {"ssl_ca_certs": str(settings.authority)}
