"""An address as SQLAlchemy writes it, and what libpq is told."""

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from riskee.errors import FatalError
from riskee.storage.database import make_engine
from riskee.storage.postgres_address import conninfo

ADDRESSES = {
    "postgresql+psycopg://me:secret@h:5432/riskee": {"host": "h", "port": "5432"},
    "postgresql://me:secret@h/riskee": {"host": "h"},
    # Several hosts, as docs/availability.md says.
    "postgresql+psycopg://me:secret@/riskee?host=a:5432&host=b:5433&target_session_attrs=read-write": {
        "host": "a,b",
        "port": "5432,5433",
        "target_session_attrs": "read-write",
    },
    "postgresql+psycopg://me:secret@/riskee?host=/run/postgresql": {"host": "/run/postgresql"},
    # TLS: paths have slashes, and what stands behind them belongs to nobody else.
    "postgresql+psycopg://me:secret@h:5432/riskee?sslmode=verify-full&sslrootcert=/run/secrets/ca": {
        "host": "h",
        "port": "5432",
        "sslmode": "verify-full",
        "sslrootcert": "/run/secrets/ca",
    },
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_libpq_is_told_what_an_engine_is_told(address: str) -> None:
    url = SecretStr(address)
    told = conninfo_to_dict(conninfo(url))
    assert told == {"user": "me", "password": "secret", "dbname": "riskee"} | ADDRESSES[address]
    engine = make_engine(url, 1)
    _, words = engine.dialect.create_connect_args(engine.url)
    # The context is how the driver translates values.
    assert told == {name: str(value) for name, value in words.items() if name != "context"}


def test_what_is_changed_takes_the_place_of_what_the_address_says() -> None:
    url = SecretStr("postgresql+psycopg://me:secret@/riskee?host=a:1&host=b:2")
    told = conninfo_to_dict(conninfo(url, user="other", password="it's a\\ %2F", dbname="dagster"))
    assert told == {"user": "other", "password": "it's a\\ %2F", "dbname": "dagster", "host": "a,b", "port": "1,2"}


def test_a_password_may_have_any_character() -> None:
    url = SecretStr("postgresql+psycopg://me:%2F%40%3F%20'@h/riskee")
    assert conninfo_to_dict(conninfo(url))["password"] == "/@? '"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgres user:secret at host", "does not parse"),
        ("sqlite:///x.db", "not for postgresql"),
        ("postgresql://me:secret@h/riskee?ssl_mode=require", 'invalid connection option "ssl_mode"'),
    ],
)
def test_an_address_that_is_none_is_said_without_its_password(address: str, said: str) -> None:
    with pytest.raises(FatalError, match=said) as caught:
        conninfo(SecretStr(address))
    assert "secret" not in str(caught.value)
