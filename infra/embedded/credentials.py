"""Passwords of the embedded servers: generated once per home, never a default."""

import secrets

import msgspec

from infra.embedded.files import Home, write_private
from riskee.errors import FatalError


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the servers ask for."""

    postgres: str
    valkey: str
    nats: str
    supervisor: str


def load_credentials(home: Home) -> Credentials:
    """Read `secrets.json`, or make it.

    Raises FatalError when the file is damaged: new passwords would lock out the database that has the old one.
    """
    file = home.root / "secrets.json"
    if file.exists():
        try:
            return msgspec.json.decode(file.read_bytes(), type=Credentials)
        except (OSError, msgspec.DecodeError) as error:
            raise FatalError(
                f"{file} cannot be read: {error}", "restore it, or remove the whole home to start anew"
            ) from error
    credentials = Credentials(*(secrets.token_urlsafe(24) for _ in Credentials.__struct_fields__))
    write_private(file, msgspec.json.format(msgspec.json.encode(credentials), indent=2).decode())
    return credentials
