"""The address of PostgreSQL as SQLAlchemy writes it, and as libpq reads it."""

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from riskee.errors import FatalError

# A bare postgresql:// means psycopg 3 to SQLAlchemy 2.1 and psycopg 2 to others: say which.
_DRIVER = "postgresql+psycopg"


def parse_address(url: SecretStr) -> URL:
    """The parts of an address. Raises FatalError for one that does not parse, or is of another database."""
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


def conninfo(url: SecretStr, **changed: str) -> str:
    """What libpq connects to where an engine is given this address: `host=a,b port=5432,5433 …`.

    `changed` takes the place of what the address says. The two write several hosts differently: `?host=a:5432` would be
    a host of this very name to libpq. Raises as `parse_address`.
    """
    parsed = parse_address(url)
    _, words = parsed.get_dialect()().create_connect_args(parsed)
    try:
        return make_conninfo("", **{name: str(value) for name, value in {**words, **changed}.items()})
    except ProgrammingError as error:  # it names the option
        raise FatalError(
            f"the database address does not parse: {str(error).strip()}", "mend RISKEE_DATABASE__URL"
        ) from error
