"""Who can reach the API, and whether it asks them who they are."""

from ipaddress import ip_address

from riskee.settings import ApiSettings, Settings

# A host that listens on all of its addresses, by the one of loopback.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared only)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def reached_at(host: str) -> str:
    """By which address this machine reaches what listens on one of its own; without brackets."""
    bare = host.strip("[]")
    return _EVERYWHERE.get(bare, bare)


def is_open(settings: Settings) -> bool:
    """Whether everybody who reaches the API may use it: all who are on this machine."""
    api = settings.api
    near = is_loopback(api.host) and not _is_for_others(api)
    return settings.profile == "embedded" and near and not api.guard.require_credentials


def _is_for_others(api: ApiSettings) -> bool:
    """Whether other machines reach it though it listens on loopback: by a proxy, or by a name that is not this
    machine's."""
    names = (name.lower() for name in api.allowed_hosts)
    return bool(api.trusted_proxies) or not all(is_loopback(name) or is_loopback(_without_port(name)) for name in names)


def _without_port(name: str) -> str:
    bare, _, port = name.rpartition(":")
    return bare if port.isdigit() else name
