"""Prometheus' programs for the tests; without them they are skipped, and say where to get them."""

from pathlib import Path

import pytest

from infra.prometheus import tools
from tests.conftest import REPOSITORY

PROMETHEUS = REPOSITORY / "infra" / "prometheus"
ALERTMANAGER = REPOSITORY / "infra" / "alertmanager"


def tool(name: str) -> Path:
    """The program of this machine, or the one that `make tools` fetched into the checkout."""
    found = tools.find(name, REPOSITORY / ".riskee")
    if found is None:
        pytest.skip(f"{name} is not here: `make tools` fetches it from Debian's packages")
    return found
