"""To whom the API is open."""

from typing import Any

import pytest

from riskee.access.exposure import is_open
from riskee.settings import ApiSettings, GuardSettings, Settings


@pytest.mark.parametrize(
    ("api", "expected"),
    [
        ({}, True),
        ({"host": "::1", "allowed_hosts": ("LOCALHOST", "[::1]", "::1", "127.0.0.1:8000", "[::1]:8000")}, True),
        ({"guard": GuardSettings(require_credentials=True)}, False),
        ({"host": "0.0.0.0"}, False),
        ({"trusted_proxies": ("127.0.0.1",)}, False),
        ({"allowed_hosts": ("localhost", "api.example")}, False),
        ({"allowed_hosts": ("api.example:443",)}, False),
    ],
)
def test_it_is_open_to_this_machine_alone(api: dict[str, Any], expected: bool) -> None:
    assert is_open(Settings(api=ApiSettings(**api))) is expected


def test_a_profile_with_servers_of_its_own_is_never_open() -> None:
    assert not is_open(Settings(profile="compose"))
