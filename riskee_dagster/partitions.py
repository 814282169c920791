"""Partitions by day: never by ticker, for tickers are data. A run over years takes a range of days at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

# The first partition holds all that is older. Business days: the exchange's calendar is data too, and a holiday's
# partition has no row.
DAILY = dg.TimeWindowPartitionsDefinition(
    start="1990-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 * * 1-5", timezone="America/New_York", end_offset=1
)
# A run over any number of days is one run: SQL over ten years costs little more than over one.
SINGLE_RUN = dg.BackfillPolicy.single_run()
# A run with this tag reports its days as made, but computes only what has changed since the last one.
ONLY_CHANGED = {"riskee/only_changed": "true"}
_FIRST = date(1990, 1, 1)
_SATURDAY = 5


@dataclass(frozen=True)
class Window:
    """Days to compute, both included; None is unbounded. Nothing set: what has changed since the last run."""

    since: date | None = None
    until: date | None = None


def window_of(tags: Mapping[str, str]) -> Window:
    """The days that a run was asked to compute, by its tags."""
    one = tags.get(PARTITION_NAME_TAG)
    first, last = tags.get(ASSET_PARTITION_RANGE_START_TAG, one), tags.get(ASSET_PARTITION_RANGE_END_TAG, one)
    if first is None or last is None or ONLY_CHANGED.items() <= tags.items():
        return Window()
    since, until = date.fromisoformat(first), date.fromisoformat(last)
    return Window(None if since == _FIRST else since, _following(until) - timedelta(days=1))


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags of a run over the days from `first` to `last`, both included."""
    return {ASSET_PARTITION_RANGE_START_TAG: key_of(first), ASSET_PARTITION_RANGE_END_TAG: key_of(last)}


def key_of(day: date) -> str:
    """The partition that holds a day: a weekend belongs to its Friday."""
    weekend = max(0, day.weekday() - _SATURDAY + 1)
    return max(_FIRST, day - timedelta(days=weekend)).isoformat()


def _following(key: date) -> date:
    day = key + timedelta(days=1)
    return day + timedelta(days=7 - day.weekday()) if day.weekday() >= _SATURDAY else day
