"""An address and the password that goes with it, which may come from elsewhere: a file, say."""

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, model_validator

from riskee.settings.section import Section

PASSWORD: SecretStr | None = Field(None, description="password of the user that the address names, in place of its own")


def with_password(url: str, password: str) -> str:
    """The address with this password for its user. Raises ValueError where it names none."""
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
        if not isinstance(given, dict) or not given.get("password"):
            return given
        url = given.get("url", cls.model_fields["url"].default)
        return given | {"url": with_password(_text(url), _text(given["password"]))}


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
