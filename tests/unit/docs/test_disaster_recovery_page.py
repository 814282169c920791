"""The plan for disasters leads to pages and commands that exist, and repeats the drill's numbers as they are."""

import re
from pathlib import Path

import typer

from riskee.cli.app import app
from riskee.reference import settings_rows
from tests.unit.deployment.compose import services

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGE, BACKUP = ((DOCS / name).read_text() for name in ("disaster_recovery.md", "backup.md"))


def anchors(page: str) -> set[str]:
    """Of its headings."""
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"(?m)^#+ (.*)$", page)}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        name, _, anchor = target.partition("#")
        assert (DOCS / name).exists(), target
        assert not anchor or anchor in anchors((DOCS / name).read_text()), target


def test_commands_and_settings_exist() -> None:
    command = typer.main.get_command(app)
    names = set(getattr(command, "commands", {}))
    assert set(re.findall(r"`riskee ([a-z]+)", PAGE)) <= names
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"`make ([a-z]+)", PAGE)) <= set(re.findall(r"(?m)^([a-z]+):", makefile))
    assert set(re.findall(r"RISKEE_[A-Z_]+", PAGE)) <= {row[0] for row in settings_rows()}


def test_everything_that_writes_is_stopped_before_a_restore() -> None:
    """All processes of the product that go on, but the one that only receives the database's log."""
    (command,) = re.findall(r"docker compose stop ([^`]+)`", PAGE)
    going = {
        name
        for name, each in services().items()
        if each["image"].startswith("riskee/") and each.get("restart") == "unless-stopped"
    }
    assert set(command.split()) == going - {"wal-receiver"}


def test_what_does_not_fill_itself_is_not_said_to() -> None:
    (step,) = re.findall(r"(?ms)^5\. .*?(?=^6\. )", PAGE)
    assert "Redis needs nothing of its own" in step
    assert "they fill themselves" not in PAGE
    (start,) = re.findall(r"(?ms)^6\. .*?(?=^7\. )", PAGE)
    assert "`riskee documents embed`" in start


def test_its_numbers_are_those_of_the_drill() -> None:
    assert "3.3 million rows" in PAGE
    assert "3.3 million rows" in BACKUP
    (backup,) = re.findall(r"\| the backup, .*? \| ([\d]+ s \([\d]+ s\))", BACKUP)
    (restore,) = re.findall(r"\*\*time to recover \(RTO\)\*\*.*? \| (\d+) s \((\d+) s\)", BACKUP)
    assert f"{backup} for 1.5 GB" in PAGE
    assert f"| {restore[0]} s from an empty home" in PAGE
    assert f"({restore[1]} s on a busy machine)" in PAGE
    assert "6 minutes at most" in BACKUP
