"""How much the time series take on the disk, what of it is compressed, and what columns would compress to.

TimescaleDB Community says by itself what its compression saved. The other tiers store rows; there a sample is written
as Parquet, in the order in which Community would segment and sort it, to tell what that tier or an archive would save.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from riskee.settings import DatabaseSettings
from riskee.storage.partitions import Tier, detect_tier
from riskee.storage.tables import TIME_SERIES, TimeSeries

SAMPLE = 500_000
_PLAIN = text("""
    SELECT coalesce(sum(pg_table_size(relid)), 0), coalesce(sum(pg_indexes_size(relid)), 0)
    FROM pg_partition_tree(CAST(:name AS regclass)) WHERE isleaf
""")
_HYPERTABLE = text("""
    SELECT coalesce(sum(table_bytes + toast_bytes), 0), coalesce(sum(index_bytes), 0)
    FROM hypertable_detailed_size(CAST(:name AS regclass))
""")
_COMPRESSED = text("""
    SELECT before_compression_total_bytes, after_compression_total_bytes
    FROM hypertable_compression_stats(CAST(:name AS regclass))
""")


@dataclass(frozen=True)
class SeriesSize:
    """One time series. Bytes are those of all rows; the ratios say how many times smaller, None where unknown."""

    table: str
    tier: str
    rows: int
    table_bytes: int
    index_bytes: int
    kept_days: int | None
    compressed_after_days: int | None
    compression_ratio: float | None
    columns_ratio: float | None

    @property
    def bytes_per_row(self) -> float:
        """With the indexes; 0 where there are no rows."""
        return round((self.table_bytes + self.index_bytes) / self.rows, 1) if self.rows else 0.0


def series_sizes(connection: Connection, settings: DatabaseSettings, sample: int = SAMPLE) -> Iterator[SeriesSize]:
    """Of each time series. `sample` is the number of rows that the ratio of columns is measured with."""
    tier = detect_tier(connection)
    for series in TIME_SERIES:
        table_name = str(series.table.name)
        name = {"name": table_name}
        rows = int(connection.scalar(text(f"SELECT count(*) FROM {table_name}")) or 0)  # noqa: S608 (our table)
        table, index = map(int, connection.execute(_PLAIN if tier is Tier.PLAIN else _HYPERTABLE, name).one())
        compresses = tier is Tier.COMMUNITY
        yield SeriesSize(
            table_name,
            tier.value,
            rows,
            table,
            index,
            None if series.retain_setting is None else getattr(settings, series.retain_setting),
            settings.compress_after_days if compresses else None,
            _compression_ratio(connection, name) if compresses else None,
            _columns_ratio(connection, series, (table + index) / rows, sample) if rows and not compresses else None,
        )


def _compression_ratio(connection: Connection, name: dict[str, str]) -> float | None:
    before, after = connection.execute(_COMPRESSED, name).one()
    return round(before / after, 1) if before and after else None


def _columns_ratio(connection: Connection, series: TimeSeries, bytes_per_row: float, sample: int) -> float:
    """Bytes of the table's newest rows over those of the same rows as Parquet with zstd."""
    import duckdb

    name, order = series.table.name, f'"{series.segment_by}", "{series.time_column}" DESC'
    query = f'SELECT * FROM {name} ORDER BY "{series.time_column}" DESC LIMIT {int(sample)}'  # noqa: S608 (our table)
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 (the connection is open)
    with tempfile.TemporaryDirectory(prefix="riskee-") as folder:
        rows, columns = Path(folder) / "rows.csv", Path(folder) / "columns.parquet"
        with rows.open("wb") as file, driver.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)") as copy:
            for block in copy:
                file.write(block)
        with duckdb.connect() as database:
            database.read_csv(str(rows)).order(order).write_parquet(str(columns), compression="zstd")
            found = database.execute("SELECT count(*) FROM read_parquet(?)", [str(columns)]).fetchone()
        return round(bytes_per_row * (found[0] if found else 0) / columns.stat().st_size, 1)
