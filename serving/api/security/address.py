"""Where a request comes from, as limits count it."""

from ipaddress import IPv6Address

from starlette.types import Scope


def address_of(scope: Scope) -> str:
    """The address of a request. Who has one IPv6 address has the other 2^64 of its network too.

    What a proxy forwarded may be no address at all: then it counts as it stands.
    """
    client = scope.get("client")
    host: str = client[0] if client else ""
    if ":" not in host:
        return host
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return host if address.ipv4_mapped else f"{IPv6Address(int(address) >> 64 << 64)}/64"
