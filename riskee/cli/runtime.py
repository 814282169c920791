"""What commands need to know of this installation: its settings, its home, its embedded stack."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from riskee.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    from infra.embedded.stack import Stack
    from riskee.settings import Settings

T = TypeVar("T")
REPO_ROOT = Path(__file__).resolve().parents[2]


def read_settings() -> Settings:
    """The settings of this process. Raises FatalError where they do not fit."""
    from riskee.settings import load_settings

    return load_settings()


@contextmanager
def open_engine(settings: Settings, pool_size: int = 1) -> Iterator[Engine]:
    """An engine of the database for the time of a command; it connects when it is first used."""
    from riskee.storage.database import make_engine

    engine = make_engine(settings.database.url, pool_size)
    try:
        yield engine
    finally:
        engine.dispose()


def with_database(settings: Settings, work: Callable[[Connection], T]) -> T:
    """Do `work(connection)` in one transaction. Raises RetryableError where the database is away."""
    from riskee.storage.database import database_errors

    with open_engine(settings) as engine, database_errors(), engine.begin() as connection:
        return work(connection)


def embedded_stack(settings: Settings) -> Stack:
    """The embedded stack of the home. Raises FatalError in a profile whose servers others run."""
    if settings.profile != "embedded":
        tools = {"compose": "docker compose", "kubernetes": "kubectl"}
        raise FatalError(
            f"the profile is {settings.profile}: this command looks after the embedded stack only",
            f"use {tools[settings.profile]}, or unset RISKEE_PROFILE",
        )
    from infra.embedded.stack import Stack

    return Stack(settings.home, REPO_ROOT)
