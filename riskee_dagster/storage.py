"""Dagster's storage in PostgreSQL, which announces the days of a run in one event instead of one for each.

Before a run Dagster stores an event for everything that it plans. Its PostgreSQL storage does so for every partition by
itself, with two new connections each: minutes for ten years of days, in which nothing is computed and the run may even
count as one that does not start. Dagster itself can put the whole range into one event; its own storage only does not
say that it takes such. What this costs: while a run is under way, or after it failed, its days are not marked so in the
partition bar; the run itself and its asset are. What was made is recorded for each day as ever.
"""

from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config


class RangeEventLogStorage(PostgresEventLogStorage):
    """Takes a planned range of partitions as one event."""

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        return True


class RangeStorage(DagsterPostgresStorage):
    """`storage: custom` of dagster.yaml; its `config` is that of `storage: postgres`."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = RangeEventLogStorage(postgres_url)

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: PostgresStorageConfig,  # type: ignore[override]
    ) -> "RangeStorage":
        return cls(pg_url_from_config(config_value), inst_data)
