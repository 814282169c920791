"""The page on backups names commands, settings and pages that exist."""

import re
from pathlib import Path

from riskee.cli import backup
from riskee.reference import settings_rows

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "backup.md").read_text()


def test_commands_exist() -> None:
    known = {
        command.name or (command.callback.__name__ if command.callback else "")
        for command in backup.app.registered_commands
    }
    named = set(re.findall(r"riskee backup (\w+)", PAGE))
    assert {"create", "list", "verify", "restore", "prune"} <= named <= known


def test_settings_exist() -> None:
    known = {name for name, _, _ in settings_rows()}
    named = set(re.findall(r"RISKEE_[A-Z_]+[A-Z](?![A-Z_])", PAGE))
    assert {name.removesuffix("_FILE") for name in named} <= known


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / target).exists(), target
