"""How the time series tables are cut by time on the three database tiers.

community   TimescaleDB with its own licence: hypertables, compression and retention run by the database
apache      TimescaleDB, Apache edition: hypertables; nothing runs by itself
plain       PostgreSQL: native range partitions, made ahead here; a default partition takes what they do not cover
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, text

from riskee.settings import DatabaseSettings
from riskee.storage.tables import TIME_SERIES, TimeSeries

AHEAD = timedelta(days=14)
_YEAR = timedelta(days=365)
# Identifies the partitions' creation among PostgreSQL's advisory locks.
_LOCK = 0x5269736B01


class Tier(StrEnum):
    """What the database can do."""

    COMMUNITY = "community"
    APACHE = "apache"
    PLAIN = "plain"


def detect_tier(connection: Connection) -> Tier:
    """The tier of the connected database: what is installed in it, not what could be."""
    if connection.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")) is None:
        return Tier.PLAIN
    licence = connection.scalar(text("SHOW timescaledb.license"))
    return Tier.COMMUNITY if licence == "timescale" else Tier.APACHE


def manage(connection: Connection, series: TimeSeries) -> None:
    """Make a new, empty table of the series a hypertable, or give the partitioned table its default partition."""
    name = series.table.name
    tier = detect_tier(connection)
    if tier is Tier.PLAIN:
        connection.execute(text(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT"))
        return
    connection.execute(
        text(
            "SELECT create_hypertable(CAST(:name AS regclass),"
            " by_range(CAST(:column AS name), CAST(:chunk AS interval)), create_default_indexes => false)"
        ),
        {"name": name, "column": series.time_column, "chunk": series.chunk},
    )
    if tier is Tier.COMMUNITY:
        # Every column of the key segments or orders, so that a chunk need not be unpacked to keep the key unique.
        rest = [
            column.name
            for column in series.table.primary_key
            if column.name not in {series.segment_by, series.time_column}
        ]
        order = ", ".join([f'"{series.time_column}" DESC', *rest])
        connection.exec_driver_sql(
            f"ALTER TABLE {name} SET (timescaledb.compress,"
            f" timescaledb.compress_segmentby = '{series.segment_by}', timescaledb.compress_orderby = '{order}')"
        )


def make_ahead(connection: Connection, now: datetime) -> int:
    """Make the partitions that the coming days need; returns how many were made."""
    return sum(ensure_partitions(connection, series, now - series.chunk, now + AHEAD) for series in TIME_SERIES)


def ensure_partitions(connection: Connection, series: TimeSeries, first: datetime, last: datetime) -> int:
    """Make the missing partitions from `first` to `last`; returns how many. A hypertable needs none.

    Rows that the default partition already took for such a range move into the new partition.
    """
    name = series.table.name
    kind = connection.scalar(text("SELECT relkind FROM pg_class WHERE oid = CAST(:name AS regclass)"), {"name": name})
    if kind != "p":
        return 0
    wanted = list(partition_ranges(series, first, last))
    if _partitions(connection, name).issuperset(part[0] for part in wanted):
        return 0
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    existing = _partitions(connection, name)
    missing = [part for part in wanted if part[0] not in existing]
    for partition, start, end in missing:
        _attach(connection, series, partition, start, end)
    return len(missing)


def apply_policies(connection: Connection, settings: DatabaseSettings) -> None:
    """Let a Community database compress and drop chunks by itself, after the ages that the settings say."""
    if detect_tier(connection) is not Tier.COMMUNITY:
        return
    for series in TIME_SERIES:
        _policy(connection, series, "compression", "compress_after", settings.compress_after_days)
        if series.retain_setting is not None:
            _policy(connection, series, "retention", "drop_after", getattr(settings, series.retain_setting))


def _policy(connection: Connection, series: TimeSeries, policy: str, parameter: str, days: int) -> None:
    """Replace the policy when its age is not the wanted one: adding again would keep the old age."""
    values = {"name": series.table.name, "age": timedelta(days=days), "parameter": parameter, "job": f"policy_{policy}"}
    present = connection.scalar(
        text(
            "SELECT CAST(config->>:parameter AS interval) = CAST(:age AS interval)"
            " FROM timescaledb_information.jobs WHERE hypertable_name = :name AND proc_name = :job"
        ),
        values,
    )
    if present is True:
        return
    connection.execute(text(f"SELECT remove_{policy}_policy(CAST(:name AS regclass), if_exists => true)"), values)
    connection.execute(text(f"SELECT add_{policy}_policy(CAST(:name AS regclass), CAST(:age AS interval))"), values)


def partition_ranges(series: TimeSeries, first: datetime, last: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """Name, start and end of each partition from `first` to `last`: calendar years, or days, of UTC."""
    name = series.table.name
    start = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if series.chunk >= _YEAR:
        for year in range(start.year, last.astimezone(UTC).year + 1):
            yield f"{name}_{year}", datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        return
    while start <= last:
        yield f"{name}_{start:%Y%m%d}", start, start + series.chunk
        start += series.chunk


def _partitions(connection: Connection, table: str) -> set[str]:
    """Read from the catalogue's rows: name look-ups such as to_regclass remember what was missing before a wait."""
    statement = text(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = CAST(:table AS regclass)"
    )
    return set(connection.scalars(statement, {"table": table}))


def _attach(connection: Connection, series: TimeSeries, partition: str, start: datetime, end: datetime) -> None:
    """Fill the partition aside and attach it: readers and writers of the other partitions go on meanwhile.

    Names and bounds cannot be parameters here; they are the tables' own and datetimes made above.
    """
    name, column = series.table.name, series.time_column
    connection.execute(text(f"CREATE TABLE {partition} (LIKE {name} INCLUDING ALL)"))
    connection.execute(text(f"LOCK TABLE {name}_default IN ACCESS EXCLUSIVE MODE"))
    connection.execute(
        text(
            f'WITH moved AS (DELETE FROM {name}_default WHERE "{column}" >= :start AND "{column}" < :end'  # noqa: S608
            f" RETURNING *) INSERT INTO {partition} SELECT * FROM moved"
        ),
        {"start": start, "end": end},
    )
    connection.exec_driver_sql(
        f"ALTER TABLE {name} ATTACH PARTITION {partition}"
        f" FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
    )
