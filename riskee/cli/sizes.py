"""`riskee data sizes`: what the time series take on the disk."""

from __future__ import annotations

from dataclasses import asdict

from riskee.cli.console import Json, print_json, print_table
from riskee.cli.runtime import read_settings, with_database

_MIB = 2**20


def sizes(json: Json = False) -> None:
    """Show what bars, quotes and predictions take on the disk, how long they are kept, and what compresses them.

    `compressed` is what TimescaleDB Community saved; `as columns`, on the other tiers, how many times smaller the
    newest rows are as Parquet.
    """
    from riskee.storage.sizes import series_sizes

    settings = read_settings()
    found = with_database(settings, lambda connection: list(series_sizes(connection, settings.database)))
    if json:
        print_json([asdict(one) | {"bytes_per_row": one.bytes_per_row} for one in found])
        return
    rows = (
        (
            one.table,
            one.tier,
            f"{one.rows:,}",
            f"{(one.table_bytes + one.index_bytes) / _MIB:,.1f}",
            one.bytes_per_row,
            "for ever" if one.kept_days is None else f"{one.kept_days} d",
            _times(one.compression_ratio),
            _times(one.columns_ratio),
        )
        for one in found
    )
    header = ("table", "tier", "rows", "MiB", "bytes a row", "kept", "compressed", "as columns")
    print_table("", header, rows)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:g}x"
