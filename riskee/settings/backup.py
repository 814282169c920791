"""The branch of the tree of settings for backups."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, model_validator

from riskee.settings.addresses import PASSWORD, joined
from riskee.settings.section import Section


class BackupSettings(Section):
    """Backups of all that cannot be made again."""

    target: str = Field(
        "",
        description="folder, or address that fsspec knows (s3://bucket/prefix), where backups are kept; empty: "
        "`backups` in the home, and none by schedule",
    )
    key: SecretStr | None = Field(None, description="key that backups are encrypted with: 32 bytes in base64")
    keep_last: int = Field(3, ge=1, description="newest backups that `prune` keeps")
    keep_daily: int = Field(7, ge=0, description="days of which the last backup is kept")
    keep_weekly: int = Field(4, ge=0, description="weeks of which the last backup is kept")
    database_url: SecretStr | None = Field(
        None, description="address by which backups reach PostgreSQL, as a role with REPLICATION; unset: the database's"
    )
    database_password: SecretStr | None = PASSWORD
    nats_url: SecretStr | None = Field(
        None, description="address by which backups reach NATS, as a user with JetStream's API; unset: the bus's"
    )
    nats_password: SecretStr | None = PASSWORD
    redis_url: SecretStr | None = Field(
        None, description="address by which backups reach Redis, as a user with SYNC; unset: the cache's"
    )
    redis_password: SecretStr | None = PASSWORD
    wal_archive: bool = Field(
        False,
        description="the embedded PostgreSQL keeps its log, to restore to any moment; needs `target`, where Dagster "
        "stores it",
    )
    wal_folder: Path | None = Field(
        None, description="folder where PostgreSQL's archiver leaves its log; unset: the embedded one's `data/wal`"
    )
    postgres_tools: Path | None = Field(
        None,
        description="folder of pg_basebackup, pg_dump, pg_restore and psql; unset: the embedded PostgreSQL's, else the "
        "PATH",
    )
    schedule: str = Field(
        "20 2 * * *", description="when Dagster makes a backup, as cron in UTC, where a target is set"
    )

    @model_validator(mode="before")
    @classmethod
    def _join(cls, given: Any) -> Any:
        for server in ("database", "nats", "redis"):
            given = joined(given, f"{server}_url", f"{server}_password", None)
        return given

    @model_validator(mode="after")
    def _require_target(self) -> Self:
        if self.wal_archive and not self.target:
            raise ValueError("`wal_archive` needs a `target`: nobody would take the log away, 16 MiB a minute")
        return self
