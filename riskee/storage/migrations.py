"""Bring a database to the schema of this version. Safe to run at every start, from several processes at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, text

from riskee.clock import Clock, SystemClock
from riskee.errors import FatalError
from riskee.settings import Settings
from riskee.storage.database import database_errors, make_engine
from riskee.storage.partitions import Tier, apply_policies, detect_tier, make_ahead

__all__ = ["Tier", "detect_tier", "migrate"]

SCRIPTS = Path(__file__).parents[2] / "infra" / "migrations"
# Identifies migration among PostgreSQL's advisory locks: a second migrator waits, then finds nothing to do.
_LOCK = 0x5269736B00


def migrate(url: SecretStr, settings: Settings, clock: Clock | None = None) -> None:
    """Upgrade the schema, make partitions ahead and set the retention, all in one transaction.

    Raises RetryableError when the database does not answer, FatalError when its schema is newer than this code.
    """
    now = (clock or SystemClock()).now()
    engine = make_engine(url, pool_size=1)
    try:
        with database_errors(), engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _upgrade(connection)
            make_ahead(connection, now)
            apply_policies(connection, settings.database)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_heads()
    unknown = sorted(set(current) - known)
    if unknown:
        raise FatalError(
            f"the database has schema {', '.join(unknown)}, which this version of Riskee does not know",
            "run the newer version that made it, or restore a backup from before the upgrade",
        )
    if set(current) != set(scripts.get_heads()):
        command.upgrade(config, "head")
