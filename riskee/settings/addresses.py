"""An address and the password that goes with it, which may come from elsewhere: a file, say."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, model_validator

from riskee.settings.section import Section

# Of a list of addresses; the hosts of one address are parted by commas too.
_PARTS = re.compile(r",(?=[a-z+]+://)")
AUTHORITY: Path | None = Field(
    None, description="file of an authority (PEM) that may have certified the server, besides those of the system"
)
PASSWORD: SecretStr | None = Field(None, description="password of the user that the address names, in place of its own")


def with_password(url: str, password: str) -> str:
    """The address with this password for its user; each of several that commas part. Raises ValueError for no user."""
    return ",".join(_with_password(one, password) for one in _PARTS.split(url))


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    if not name and parts.scheme not in {"redis", "rediss"}:
        raise ValueError("the address names no user that the password is of")
    return urlunsplit(parts._replace(netloc=f"{name}:{quote(password, safe='')}@{host}"))


class Address(Section):
    """A branch with an `url` and a `password`: whoever reads the address finds the password in it."""

    @model_validator(mode="before")
    @classmethod
    def _join(cls, given: Any) -> Any:
        return joined(given, "url", "password", cls.model_fields["url"].default)


def joined(given: Any, url: str, password: str, default: SecretStr | None) -> Any:
    """What a branch is given, with the password put into the address. Raises ValueError for a password without one."""
    if not isinstance(given, dict) or not given.get(password):
        return given
    address = given.get(url) or default
    if address is None:
        raise ValueError(f"`{password}` is given, but no `{url}`")
    return given | {url: with_password(_text(address), _text(given[password]))}


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
