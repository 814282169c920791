"""Fixtures for tests against the real embedded servers: one stack a session, one database a test."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from redis import Redis

from infra.embedded.stack import Stack
from riskee.settings import Settings, load_settings
from riskee.storage.migrations import migrate

REPOSITORY = Path(__file__).parent.parent
TEMPLATE = "riskee_template"
# Below these a test talks to real servers and processes, which a busy machine may stop for a second.
ATTEMPTED_TWICE = ("integration", "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test with real servers fail once, told at the end with its traceback: see ADR 0196.

    Not so a unit test, which has no excuse, and not a fault scenario, where one loss in two runs is a loss.
    """
    for item in items:
        if item.path.relative_to(REPOSITORY / "tests").parts[0] in ATTEMPTED_TWICE:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))


@contextmanager
def running_stack(prefix: str) -> Iterator[Stack]:
    """The servers on free ports, with a home of their own below the temporary folder."""
    home = Path(tempfile.mkdtemp(prefix=prefix))
    home.chmod(0o711)
    stack = Stack(home, REPOSITORY)
    try:
        stack.start_servers()
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The five servers, for all tests."""
    with running_stack("riskee-test-") as stack:
        yield stack


@pytest.fixture(scope="session")
def settings(stack: Stack) -> Settings:
    """The settings of a process of that stack. Shared by the session: a test leaves no rows in its database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISKEE_HOME", str(stack.home))
        # Half a second is right for who asks, and short for tests on a busy machine; what is about it sets its own.
        patch.setenv("RISKEE_REDIS__TIMEOUT_SECONDS", "10")
        settings = load_settings()
    with Redis.from_url(settings.redis.url.get_secret_value()) as redis:
        # The tests kill processes, never the machine, and a slow disk would let every caller wait.
        redis.config_set("appendfsync", "no")
    return settings


def _admin(settings: Settings) -> psycopg.Connection:
    url = settings.database.url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)
    return psycopg.connect(url, dbname="postgres", autocommit=True)


def _url_of(settings: Settings, database: str) -> str:
    return settings.database.url.get_secret_value().rsplit("/", 1)[0] + f"/{database}"


@pytest.fixture(scope="session")
def template_database(settings: Settings) -> str:
    """Name of a database that has every migration and no row."""
    with _admin(settings) as connection:
        # As with Redis above; dropping a database with many partitions would sync for seconds.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    migrate(SecretStr(_url_of(settings, TEMPLATE)), settings)
    return TEMPLATE


@contextmanager
def fresh_database(settings: Settings, template: str = TEMPLATE) -> Iterator[str]:
    """SQLAlchemy address of a copy of the template, by default a migrated, empty database; dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    names = sql.Identifier(name), sql.Identifier(template)
    with _admin(settings) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        try:
            yield _url_of(settings, name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


@pytest.fixture
def database_url(settings: Settings, template_database: str) -> Iterator[str]:
    """A database for this test alone."""
    with fresh_database(settings) as url:
        yield url


@pytest.fixture
def database_settings(settings: Settings, database_url: str) -> Settings:
    """The stack's settings with the database of this test."""
    database = settings.database.model_copy(update={"url": SecretStr(database_url)})
    return settings.model_copy(update={"database": database})
