"""Databases, roles and their passwords, made by the superuser. May be run again: passwords of new files take effect."""

from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from infra.deployment.identities import DAGSTER_DATABASE, DATABASE, POSTGRES_ROLES, SUPERUSER
from riskee.errors import FatalError, RetryableError

SQL = Path(__file__).parents[1] / "postgres"
_DATABASES = (DATABASE, DAGSTER_DATABASE)


def make_roles(url: str, passwords: Mapping[str, str]) -> None:
    """Make what is missing and give each role its password; `url` is the superuser's, of any database.

    Raises RetryableError where the server does not answer, FatalError where a password is missing.
    """
    missing = sorted(set(POSTGRES_ROLES) - set(passwords))
    if missing:
        raise FatalError(f"no password for {', '.join(missing)}", "`python3 -m infra.deployment.secrets` makes them")
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            make_owners(connection)
            for role in POSTGRES_ROLES:
                _set_password(connection, role, passwords[role])
        with psycopg.connect(url, dbname=DATABASE, connect_timeout=5) as connection:
            connection.execute((SQL / "functions.sql").read_bytes())
    except psycopg.OperationalError as error:
        raise RetryableError(f"the database does not answer: {error}", "it is tried again") from error


def make_owners(connection: psycopg.Connection) -> None:
    """Make databases and roles that are missing; new ones have no password, and so nobody gets in as them yet.

    The connection is the superuser's, and commits by itself.
    """
    _make_databases(connection)
    connection.execute((SQL / "roles.sql").read_bytes())


def renew_superuser(url: str, before: str, password: str) -> None:
    """Give the superuser the password of `url`, where only the one of `before` is known yet.

    Raises RetryableError where the server takes neither, or does not answer.
    """
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as refused:
        try:
            with psycopg.connect(before, autocommit=True, connect_timeout=5) as connection:
                _set_password(connection, SUPERUSER, password)
        except psycopg.OperationalError:
            raise RetryableError(f"the database does not answer: {refused}", "it is tried again") from refused


def grant(url: str) -> None:
    """Give the services what they may do, in a database that has every migration; `url` is its owner's.

    Raises RetryableError where the server does not answer.
    """
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            connection.execute((SQL / "grants.sql").read_bytes())
    except psycopg.OperationalError as error:
        raise RetryableError(f"the database does not answer: {error}", "it is tried again") from error


def _make_databases(connection: psycopg.Connection) -> None:
    existing = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    for database in _DATABASES:
        if database not in existing:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def _set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    # Hashed here: the statement, which the server may log, must not hold the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier)))
