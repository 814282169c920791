"""The page on security has every scope with its routes, and names settings, statuses and headers that exist."""

import re
from pathlib import Path

import pytest

from riskee.access.grants import Grant
from riskee.reference import settings_rows
from serving.api.security.scopes import ROUTES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text()


@pytest.mark.parametrize("grant", list(Grant))
def test_every_scope_is_described_with_its_routes(grant: Grant) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{grant}` |")]
    missing = [rule.path for rule in ROUTES if rule.grant is grant and f"`{rule.method} {rule.path}`" not in row]
    assert missing == []


def test_no_row_names_a_route_that_is_gone() -> None:
    named = set(re.findall(r"`((?:GET|POST|WS) /[^`]*)`", PAGE))
    assert named <= {f"{rule.method} {rule.path}" for rule in ROUTES}


def test_settings_exist() -> None:
    known = {name for name, _, _ in settings_rows()}
    named = set(re.findall(r"RISKEE_[A-Z_]+[A-Z]", PAGE))
    assert len(named) > 8
    assert named <= known


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
