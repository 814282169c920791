"""Secrets as `python3 -m infra.deployment.secrets` leaves them, with a text that is known."""

from pathlib import Path

from infra.deployment.secrets import GIVEN, PREVIOUS, wanted

PLANTED = "planted-secret-of-some-length-" * 2


def plant(folder: Path) -> None:
    """Write a file for each; what a person gives has its form."""
    for name in (*wanted(), *PREVIOUS.values()):
        (folder / name).write_text(PLANTED)
    for name, text in GIVEN.items():
        (folder / name).write_text(text)
