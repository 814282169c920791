"""A unit test talks to nobody."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket

from riskee.settings.loading import TEST_PREFIX

# The same examples in each run, however long one takes on a busy machine: a run is red for what was changed, not by
# chance. RISKEE_TEST_EXAMPLES=new looks for others.
NEW = os.environ.get(f"{TEST_PREFIX}EXAMPLES") == "new"
settings.register_profile("riskee", derandomize=not NEW, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("riskee")


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    """Refuse network sockets; event loops wake themselves through a Unix pair."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
