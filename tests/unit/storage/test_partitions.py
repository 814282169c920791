"""Where the partitions of plain PostgreSQL begin and end."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from riskee.storage.partitions import partition_ranges
from riskee.storage.tables import TIME_SERIES, TimeSeries

BY_NAME = {series.table.name: series for series in TIME_SERIES}
YORK = timezone(timedelta(hours=-4))


def test_bars_are_cut_by_calendar_year() -> None:
    found = list(
        partition_ranges(
            BY_NAME["market_data"], datetime(1999, 12, 31, 23, tzinfo=YORK), datetime(2001, 1, 1, tzinfo=UTC)
        )
    )
    assert [part[0] for part in found] == ["market_data_2000", "market_data_2001"]
    assert found[0][1:] == (datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC))


def test_predictions_are_cut_by_day_of_utc() -> None:
    found = list(
        partition_ranges(
            BY_NAME["predictions"], datetime(2026, 2, 28, 23, tzinfo=YORK), datetime(2026, 3, 2, 0, tzinfo=UTC)
        )
    )
    assert [part[0] for part in found] == ["predictions_20260301", "predictions_20260302"]
    assert found[1][1:] == (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))


EPOCH = datetime(1950, 1, 1, tzinfo=UTC)
moments = st.timedeltas(timedelta(0), timedelta(days=40_000)).map(lambda age: EPOCH + age)


@given(st.sampled_from(TIME_SERIES), moments, st.timedeltas(timedelta(0), timedelta(days=800)))
def test_partitions_cover_the_range_without_gap_or_overlap(
    series: TimeSeries, first: datetime, span: timedelta
) -> None:
    found = list(partition_ranges(series, first, first + span))
    assert found[0][1] <= first < found[0][2]
    assert found[-1][1] <= first + span < found[-1][2]
    assert all(before[2] == after[1] for before, after in pairwise(found))
    assert len({name for name, _, _ in found}) == len(found)
