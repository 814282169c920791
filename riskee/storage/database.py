"""Engines for PostgreSQL and TimescaleDB, and how their failures become the product's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import InterfaceError as DriverInterfaceError
from psycopg import OperationalError as DriverError
from psycopg import ProgrammingError as DriverProgrammingError
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, QueryCanceled, UndefinedColumn, UndefinedTable
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionLeftError

from riskee.errors import RetryableError
from riskee.storage.postgres_address import parse_address

CONNECT_SECONDS = 5
# Each below the time after which a service that makes no progress is started anew: its message would be taken for the
# cause, though it only waits for whoever holds a lock.
POOL_SECONDS = 10
LOCK_SECONDS = 10
STATEMENT_SECONDS = 30
# A connection whose other end vanished without a word is given up after some 20 s, not after hours.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 20_000}
_DISK_FULL = "53100"


def make_engine(url: SecretStr, pool_size: int) -> Engine:
    """An engine for threads, connecting on first use. Raises FatalError for an address that does not parse.

    Its statements may take as long as they need, as imports, migrations and marts do.
    """
    return create_engine(parse_address(url), **_options(pool_size))


def make_service_engine(url: SecretStr, pool_size: int) -> Engine:
    """As `make_engine`, for a service: no statement and no lock is waited for without end, so that it can try again."""
    limits = f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={LOCK_SECONDS}s"
    return create_engine(parse_address(url), **_options(pool_size, limits))


def close_engine(engine: Engine) -> None:
    """End its connections: those lent to threads, which cannot be stopped, when they are given back."""
    event.listen(engine, "checkin", lambda lent, _: lent.close())
    engine.dispose()


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn an unreachable, busy, empty or otherwise unprepared server into RetryableError; other errors of a statement
    pass through.

    Of the driver's own errors too, for what `driver_of` gives goes past SQLAlchemy.
    """
    try:
        yield
    except (OperationalError, InterfaceError, DriverError, DriverInterfaceError) as error:
        raise _retryable(getattr(error, "orig", None) or error) from error
    except NoConnectionLeftError as error:
        raise RetryableError(
            "all connections to the database are in use", "raise RISKEE_DATABASE__POOL_SIZE; the call is repeated"
        ) from error
    except (ProgrammingError, DriverProgrammingError) as error:
        unprepared = _unprepared(getattr(error, "orig", None) or error)
        if unprepared is None:
            raise
        raise unprepared from error


def _retryable(error: BaseException) -> RetryableError:
    """What the driver's error means to whoever runs the product."""
    if getattr(error, "sqlstate", None) == _DISK_FULL:
        return RetryableError("the database's disk is full", "free space on it; the call is repeated")
    cause = next(iter(str(error).strip().splitlines()), type(error).__name__)
    if isinstance(error, LockNotAvailable | QueryCanceled):
        return RetryableError(
            f"the database takes too long: {cause}", "see pg_stat_activity for who holds it up; the call is repeated"
        )
    return RetryableError(
        f"the database does not answer: {cause}",
        "`riskee up` starts the embedded one; of another see that it runs and RISKEE_DATABASE__URL is right",
    )


def _unprepared(error: BaseException | None) -> RetryableError | None:
    """What whoever runs the product has yet to do to the database, None where that is not the matter."""
    cause = next(iter(str(error).strip().splitlines()), type(error).__name__)
    match error:
        case UndefinedTable():
            return RetryableError("the database has no tables yet", "`riskee up` makes them")
        case UndefinedColumn():
            return RetryableError(
                f"the database's tables are of another version: {cause}",
                "`riskee up`, or the deployment's `migrate`, brings them up to date",
            )
        case InsufficientPrivilege():
            return RetryableError(
                f"the database's role may not do this: {cause}",
                "the deployment's `migrate` grants what infra/postgres/grants.sql says",
            )
    return None


def driver_of(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's own connection, in the same transaction: for COPY, and for rows in binary."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"{type(driver)} is not psycopg's connection")
    return driver


def read_one_moment(connection: Connection) -> None:
    """Let all that the transaction reads from here on, before which it read nothing, be of one moment."""
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def _options(pool_size: int, limits: str = "") -> dict[str, Any]:
    return {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": POOL_SECONDS,
        # A restarted server must cost one ping, not one failed request.
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "riskee",
            "options": f"-c timezone=UTC {limits}".rstrip(),
            **_KEEPALIVE,
        },
    }
