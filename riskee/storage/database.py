"""Engines for PostgreSQL and TimescaleDB, and how their failures become the product's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import InterfaceError as DriverInterfaceError
from psycopg import OperationalError as DriverError
from psycopg.errors import UndefinedTable
from pydantic import SecretStr
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, ProgrammingError

from riskee.errors import FatalError, RetryableError

CONNECT_SECONDS = 5
# A bare postgresql:// means psycopg 3 to SQLAlchemy 2.1 and psycopg 2 to others: say which.
_DRIVER = "postgresql+psycopg"
_DISK_FULL = "53100"


def make_engine(url: SecretStr, pool_size: int) -> Engine:
    """An engine for threads, connecting on first use. Raises FatalError for an address that does not parse."""
    return create_engine(_parse(url), **_options(pool_size))


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn an unreachable, failing or empty server into RetryableError; other errors of a statement pass through.

    Of the driver's own errors too, for a COPY goes past SQLAlchemy.
    """
    try:
        yield
    except (OperationalError, InterfaceError, DriverError, DriverInterfaceError) as error:
        driver = getattr(error, "orig", None) or error
        if getattr(driver, "sqlstate", None) == _DISK_FULL:
            raise RetryableError("the database's disk is full", "free space on it; the call is repeated") from error
        cause = next(iter(str(driver).strip().splitlines()), type(driver).__name__)
        raise RetryableError(
            f"the database does not answer: {cause}",
            "check that it runs and RISKEE_DATABASE__URL is right (`riskee doctor`); the call is repeated",
        ) from error
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable):
            raise
        raise RetryableError("the database has no tables yet", "`riskee up` makes them") from error


def read_one_moment(connection: Connection) -> None:
    """Let all that the transaction reads from here on, before which it read nothing, be of one moment."""
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def _parse(url: SecretStr) -> URL:
    try:
        parsed = make_url(url.get_secret_value())
    except ArgumentError as error:
        raise FatalError("the database address does not parse", "mend RISKEE_DATABASE__URL") from error
    if parsed.get_backend_name() != "postgresql":
        raise FatalError(
            f"the database address is for {parsed.get_backend_name()}, not for postgresql",
            f"RISKEE_DATABASE__URL starts with {_DRIVER}://",
        )
    return parsed.set(drivername=_DRIVER)


def _options(pool_size: int) -> dict[str, Any]:
    return {
        "pool_size": pool_size,
        "max_overflow": 0,
        # A restarted server must cost one ping, not one failed request.
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "riskee",
            "options": "-c timezone=UTC",
        },
    }
