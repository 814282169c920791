"""A unit test talks to nobody."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    """Refuse network sockets; event loops wake themselves through a Unix pair."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
