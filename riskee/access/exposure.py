"""Who can reach the API, and whether it asks them who they are."""

from ipaddress import ip_address

from riskee.settings import Settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_open(settings: Settings) -> bool:
    """Whether everybody who reaches the API may use it: all who are on this machine."""
    api = settings.api
    return settings.profile == "embedded" and is_loopback(api.host) and not api.guard.require_credentials
