"""Addresses, and what a failing server becomes. No server is asked here."""

import pytest
from psycopg import errors
from pydantic import SecretStr
from sqlalchemy import exc

from riskee.errors import FatalError, RetryableError
from riskee.storage.database import database_errors, make_engine


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_postgresql_address_takes_the_same_driver(scheme: str) -> None:
    engine = make_engine(SecretStr(f"{scheme}://u:p@h:5432/d"), 3)
    assert engine.url.drivername == "postgresql+psycopg"
    assert engine.pool.status().startswith("Pool size: 3")


@pytest.mark.parametrize("address", ["sqlite:///x.db", "mysql://h/d"])
def test_another_database_is_refused(address: str) -> None:
    with pytest.raises(FatalError, match="not for postgresql"):
        make_engine(SecretStr(address), 1)


def test_an_address_that_does_not_parse_keeps_its_password() -> None:
    with pytest.raises(FatalError) as caught:
        make_engine(SecretStr("postgres user:secret at host"), 1)
    assert "secret" not in str(caught.value)
    assert "RISKEE_DATABASE__URL" in caught.value.remedy


def test_a_server_that_is_gone_may_come_back() -> None:
    with pytest.raises(RetryableError, match="connection refused"), database_errors():
        raise exc.OperationalError("SELECT 1", {}, Exception("connection refused\nmore"))


@pytest.mark.parametrize("told", ["server closed the connection\nmore", ""])
def test_a_server_that_goes_during_a_copy_may_come_back_too(told: str) -> None:
    """The driver's own errors, for a COPY goes past SQLAlchemy."""
    cause = told.partition("\n")[0] or "OperationalError"
    with pytest.raises(RetryableError, match=cause), database_errors():
        raise errors.OperationalError(told)


def test_a_full_disk_is_called_so() -> None:
    with pytest.raises(RetryableError, match="disk is full — free space"), database_errors():
        raise exc.OperationalError("INSERT", {}, errors.DiskFull("could not extend file"))


@pytest.mark.parametrize("error", [errors.LockNotAvailable("lock timeout"), errors.QueryCanceled("statement timeout")])
def test_a_statement_that_takes_too_long_may_succeed_later(error: Exception) -> None:
    with pytest.raises(RetryableError, match=r"takes too long: .* timeout"), database_errors():
        raise exc.OperationalError("INSERT", {}, error)


def test_a_pool_without_a_free_connection_may_have_one_later() -> None:
    with pytest.raises(RetryableError, match="connections to the database are in use"), database_errors():
        raise exc.TimeoutError("QueuePool limit of size 4 overflow 0 reached")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.UndefinedTable("relation"), "`riskee up` makes them"),
        (errors.UndefinedColumn("column api_keys.x does not exist\nmore"), "another version: column api_keys.x does"),
        (errors.InsufficientPrivilege("permission denied for table api_keys"), "may not do this: permission denied"),
    ],
)
def test_a_database_that_is_not_prepared_says_by_what(error: Exception, told: str) -> None:
    with pytest.raises(RetryableError, match=told), database_errors():
        raise exc.ProgrammingError("SELECT 1", {}, error)


def test_a_wrong_statement_is_not_hidden() -> None:
    with pytest.raises(exc.ProgrammingError), database_errors():
        raise exc.ProgrammingError("SELEC 1", {}, Exception("syntax error"))
