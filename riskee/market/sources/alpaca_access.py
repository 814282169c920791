"""What all that asks Alpaca has in common: the keys, where they may go, and what a refusal means."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from riskee.errors import FatalError, NotFoundError, PoisonError, RiskeeError
from riskee.settings import AlpacaSettings

KEYS = "RISKEE_ALPACA__KEY_ID and RISKEE_ALPACA__SECRET_KEY"
LONGEST_MESSAGE = 200
_ENCRYPTED = ("https", "wss")


def require_keys(settings: AlpacaSettings) -> tuple[str, str]:
    """Key and secret. Raises FatalError where one is missing."""
    key_id, secret_key = settings.key_id, settings.secret_key
    if key_id is None or secret_key is None:
        raise FatalError("Alpaca wants a key", f"set {KEYS}: a free account has one")
    return key_id.get_secret_value(), secret_key.get_secret_value()


def require_private(url: str, setting: str) -> str:
    """The address. Raises FatalError where the key would go over a network in plain text."""
    parts = urlsplit(url)
    if parts.scheme not in _ENCRYPTED and not _is_loopback(parts.hostname or ""):
        scheme = "wss" if parts.scheme == "ws" else "https"
        raise FatalError(
            f"{setting} would send the key in plain text to {parts.hostname}", f"use an {scheme}:// address"
        )
    return url


def refusal(settings: AlpacaSettings, status: int, text: str) -> RiskeeError:
    """The error of an answer with a status from 400 on, that will not succeed later."""
    said = f"Alpaca answers {status}: {without_secrets(settings, text)}"
    if status in {401, 403}:
        return FatalError(said, f"check {KEYS}, and whether the plan has the feed RISKEE_ALPACA__FEED={settings.feed}")
    if status == 404:
        return NotFoundError(said, "check the ticker, and RISKEE_ALPACA__URL")
    return PoisonError(said, "check the ticker")


def without_secrets(settings: AlpacaSettings, text: str) -> str:
    """What Alpaca says, without the keys, should it repeat them."""
    for secret in (settings.key_id, settings.secret_key):
        text = text.replace(secret.get_secret_value(), "…") if secret else text
    return text[:LONGEST_MESSAGE]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
