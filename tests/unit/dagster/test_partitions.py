"""From days to partitions and back, and what a run over them does to the event log."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.settings import Settings
from riskee_dagster.declare import pinned_beta
from riskee_dagster.jobs import schedules
from riskee_dagster.partitions import DAILY, ONLY_CHANGED, SINGLE_RUN, Window, key_of, range_tags, window_of

DAYS = st.dates(date(1985, 1, 1), date(2026, 1, 1))


@given(DAYS, DAYS)
def test_the_window_of_a_range_holds_its_days_and_no_others_partition(one: date, other: date) -> None:
    first, last = sorted((one, other))
    window = window_of(range_tags(first, last))
    assert window.since is None or window.since <= first
    assert window.until is not None
    assert window.until >= last
    assert key_of(window.until) == key_of(last)
    if window.since:
        assert key_of(window.since) == key_of(first)


@pytest.mark.parametrize(
    ("day", "key"),
    [
        ("2020-06-26", "2020-06-26"),
        ("2020-06-27", "2020-06-26"),
        ("2020-06-28", "2020-06-26"),
        ("2020-06-29", "2020-06-29"),
        ("1970-01-05", "1990-01-01"),
    ],
)
def test_a_weekend_belongs_to_its_friday_and_older_days_to_the_first_partition(day: str, key: str) -> None:
    assert key_of(date.fromisoformat(day)) == key
    assert DAILY.has_partition_key(key)


def test_keys_are_dagsters_own() -> None:
    keys = DAILY.get_partition_keys_in_range(dg.PartitionKeyRange("2012-01-02", "2013-03-01"))
    assert {key_of(date.fromisoformat(key)) for key in keys} == set(keys)
    assert all(date.fromisoformat(key).weekday() < 5 for key in keys)


def test_one_partition_and_the_unbounded_first_one() -> None:
    assert window_of({"dagster/partition": "2020-06-26"}) == Window(date(2020, 6, 26), date(2020, 6, 28))
    assert window_of({"dagster/partition": "1990-01-01"}) == Window(None, date(1990, 1, 1))


def test_without_a_partition_or_for_what_changed_only_no_window_is_computed() -> None:
    assert window_of({}) == Window()
    assert window_of(range_tags(date(2020, 1, 1), date(2020, 2, 1)) | ONLY_CHANGED) == Window()


def test_todays_partition_is_there_before_the_day_is_over() -> None:
    friday = date(2020, 6, 26)
    with dg.partition_loading_context(effective_dt=datetime(2020, 6, 26, 17, tzinfo=ZoneInfo("America/New_York"))):
        assert DAILY.get_last_partition_key() == friday.isoformat()


def test_the_nightly_run_reports_the_last_week_and_computes_what_changed() -> None:
    """On a Friday evening in New York, when it is Saturday in UTC; the days are made in the run, not only named."""
    nightly = next(one for one in schedules(Settings()) if one.name == "refresh_nightly")
    evening = datetime(2020, 6, 26, 23, 30, tzinfo=UTC) + timedelta(hours=1)
    with dg.build_schedule_context(scheduled_execution_time=evening) as context:
        (request,) = nightly.evaluate_tick(context).run_requests or ()
    assert ONLY_CHANGED.items() <= request.tags.items()
    assert window_of(request.tags) == Window()
    with pinned_beta():

        @dg.asset(partitions_def=DAILY, backfill_policy=SINGLE_RUN)
        def by_day() -> None:
            pass

    job = dg.Definitions(
        assets=[by_day], jobs=[dg.define_asset_job("refresh")], executor=dg.in_process_executor
    ).resolve_job_def("refresh")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance, tags=dict(request.tags)).success
        made = instance.get_materialized_partitions(dg.AssetKey("by_day"))
    assert sorted(made) == [f"2020-06-{day}" for day in (19, 22, 23, 24, 25, 26)]


@pytest.mark.parametrize("tags", [{}, range_tags(date(2020, 6, 22), date(2020, 7, 3))], ids=["no range", "range"])
def test_an_asset_by_day_can_be_made_by_range_and_without(tags: dict[str, str]) -> None:
    """A range is one run with an event for each day; a run without one, as a sensor's, makes one event."""
    with pinned_beta():

        @dg.asset(partitions_def=DAILY, backfill_policy=SINGLE_RUN)
        def by_day(context: dg.AssetExecutionContext) -> None:
            made.append(window_of(context.run.tags))

    @dg.asset(deps=[by_day])
    def whole() -> None:
        pass

    made: list[Window] = []
    job = dg.Definitions(
        assets=[by_day, whole], jobs=[dg.define_asset_job("all")], executor=dg.in_process_executor
    ).resolve_job_def("all")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, tags=tags)
        events = result.asset_materializations_for_node("by_day")
        assert len(made) == 1
        assert [event.partition for event in events] == (
            [f"2020-{day}" for day in ("06-22", "06-23", "06-24", "06-25", "06-26", "06-29", "06-30")]
            + [f"2020-07-0{day}" for day in (1, 2, 3)]
            if tags
            else [None]
        )
        assert len(result.asset_materializations_for_node("whole")) == 1
