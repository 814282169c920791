"""The job that runs before the services: roles, schema, grants, streams and the key of the metrics' reader.

`python -m infra.deployment.migrate`, with the folder of secrets in `DEPLOY_SECRETS` (see docs/deployment.md). May
be run again, by several at once: what is there is left or mended.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Connection

from infra.deployment.identities import POSTGRES_ROLES, SUPERUSER
from infra.deployment.roles import grant, make_roles, renew_superuser
from infra.deployment.secrets import METRICS_TOKEN, PREVIOUS
from riskee.access.api_keys import digest_of, parse_key
from riskee.access.grants import Grant
from riskee.clock import Clock, SystemClock
from riskee.errors import FatalError, RetryableError, RiskeeError
from riskee.logs import configure_logs, get_logger
from riskee.settings import Settings, load_settings
from riskee.storage.api_keys import StoredKey, add_key, read_keys, replace_digest, revoke_key
from riskee.storage.bus import Bus
from riskee.storage.database import database_errors, make_engine
from riskee.storage.migrations import migrate
from riskee.storage.postgres_address import conninfo

FOLDER = "DEPLOY_SECRETS"  # not RISKEE_*: it is no setting of a service
NAME = "migrate"
METRICS_READER = "prometheus"
_PATIENCE_SECONDS = 300.0
_PAUSE_SECONDS = 2.0
_CONNECT_SECONDS = 5.0

_log = get_logger(__name__)


def deploy(settings: Settings, secrets: Path, clock: Clock) -> None:
    """Bring database and bus to this version. `settings` has the owner's address of the database.

    Raises RetryableError where a server does not answer, FatalError where a secret is missing or the schema is newer.
    """
    passwords = {role: _secret(secrets / f"postgres_{role}") for role in (SUPERUSER, *POSTGRES_ROLES)}
    owner = settings.database.url
    superuser = superusers(owner, passwords[SUPERUSER])
    before = _secret(secrets / PREVIOUS[f"postgres_{SUPERUSER}"])
    renew_superuser(superuser, superusers(owner, before), passwords[SUPERUSER])
    make_roles(superuser, passwords)
    migrate(owner, settings, clock)
    grant(conninfo(owner))
    _with_database(settings, lambda connection: add_metrics_key(connection, settings, secrets, clock))
    asyncio.run(_make_streams(settings))
    _log.info("the database and the bus are ready")


def superusers(owner: SecretStr, password: str) -> str:
    """The superuser's address (libpq's) of the owner's server, of the database that is always there."""
    return conninfo(owner, user=SUPERUSER, password=password, dbname=SUPERUSER)


def add_metrics_key(connection: Connection, settings: Settings, secrets: Path, clock: Clock) -> None:
    """Let the key that Prometheus has be one of the API's, for metrics alone, and the one that it had be none."""
    presented = parse_key(_secret(secrets / METRICS_TOKEN))
    if presented is None:
        raise FatalError(f"{secrets / METRICS_TOKEN} is no key of the API", "`--renew metrics_token` makes another")
    pepper = settings.api.guard.key_pepper
    digest = digest_of(presented, pepper.get_secret_value() if pepper else "")
    wanted = StoredKey(presented.key_id, METRICS_READER, digest, frozenset({Grant.METRICS_READ}), clock.now())
    known = {key.key_id: key for key in read_keys(connection) if (key.name, key.grants) == (wanted.name, wanted.grants)}
    if wanted.key_id not in known:
        add_key(connection, wanted)
    elif known[wanted.key_id].digest != digest:  # of another pepper
        replace_digest(connection, wanted.key_id, digest)
    for key_id in known.keys() - {wanted.key_id}:
        revoke_key(connection, key_id, clock.now())


def _secret(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise FatalError(f"{file} cannot be read: {error.strerror}", "see docs/deployment.md, Secrets") from error


def _with_database(settings: Settings, work: Callable[[Connection], None]) -> None:
    engine = make_engine(settings.database.url, 1)
    try:
        with database_errors(), engine.begin() as connection:
            work(connection)
    finally:
        engine.dispose()


async def _make_streams(settings: Settings) -> None:
    bus = await Bus.connect(settings.nats, NAME, timeout=_CONNECT_SECONDS)
    try:
        await bus.ensure_streams()
    finally:
        await bus.close()


def main() -> None:
    """The command: tries again for minutes while a server is away; exits with 1 where there is no way on."""
    configure_logs(NAME, "INFO")
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        settings, folder = load_settings(), Path(os.environ.get(FOLDER, "/run/secrets"))
        while True:
            try:
                deploy(settings, folder, SystemClock())
            except RetryableError as error:
                if time.monotonic() > deadline:
                    raise
                _log.warning("waiting", cause=str(error))
                time.sleep(_PAUSE_SECONDS)
            else:
                return
    except RiskeeError as error:
        _log.critical("cannot go on", error=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
