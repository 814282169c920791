"""Dropping what is older than the settings keep, where the database does not do it by itself."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from riskee.settings import DatabaseSettings
from riskee.storage.partitions import Tier, detect_tier
from riskee.storage.tables import TIME_SERIES, TimeSeries

# A partition's upper bound as PostgreSQL prints it; the default partition has none.
_EXPIRED = text(r"""
    SELECT child.relname
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = CAST(:name AS regclass)
        AND CAST((regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \(''([^'']+)''\)'))[1] AS timestamptz)
            <= :cutoff
    ORDER BY child.relname
""")
_DROP_CHUNKS = text("SELECT count(*) FROM drop_chunks(CAST(:name AS regclass), older_than => :cutoff)")


def drop_expired(connection: Connection, settings: DatabaseSettings, now: datetime) -> dict[str, int]:
    """Drop whole expired partitions or chunks; returns how many, by table. Nothing on Community: it has policies."""
    tier = detect_tier(connection)
    if tier is Tier.COMMUNITY:
        return {}
    dropped = {}
    for series in TIME_SERIES:
        if series.retain_setting is not None:
            cutoff = now - timedelta(days=getattr(settings, series.retain_setting))
            dropped[series.table.name] = _drop(connection, series, tier, cutoff)
    return dropped


def _drop(connection: Connection, series: TimeSeries, tier: Tier, cutoff: datetime) -> int:
    name = series.table.name
    if tier is Tier.APACHE:
        return int(connection.scalar(_DROP_CHUNKS, {"name": name, "cutoff": cutoff}) or 0)
    partitions = list(connection.scalars(_EXPIRED, {"name": name, "cutoff": cutoff}))
    for partition in partitions:
        # The name comes from the catalogue, and cannot be a parameter.
        connection.exec_driver_sql(f'DROP TABLE "{partition}"')
    return len(partitions)
