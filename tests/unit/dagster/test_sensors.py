"""The retraining sensor on an instance in memory: what it requests, what waits, and that nothing is lost."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from riskee.settings import Settings
from riskee_dagster.declare import WHY_TAG
from riskee_dagster.defs.monitoring import CAUSES, watch_key
from riskee_dagster.sensors import ATTEMPTS, CAUSES_TAG, REQUEST_TAG, evaluate, retrain_sensor

COOLDOWN = timedelta(hours=24)
LATER = timedelta(hours=25)


@dg.op
def nothing() -> None:
    pass


@dg.job(name="retrain")
def training() -> None:
    nothing()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def now() -> datetime:
    return datetime.now(UTC)


def found(instance: dg.DagsterInstance, *keys: str, model_type: str = "normal") -> None:
    """A watch asset was materialised, with these causes."""
    causes = [{"kind": key.partition(":")[0], "key": key, "detail": f"detail of {key}"} for key in keys]
    event = dg.AssetMaterialization(
        watch_key("normal" if model_type == "normal" else "earnings"), metadata={CAUSES: dg.MetadataValue.json(causes)}
    )
    instance.report_runless_asset_event(event)


def tick(
    instance: dg.DagsterInstance, cursor: str | None = None, at: datetime | None = None
) -> tuple[list[dg.RunRequest], str, str]:
    result = evaluate(instance, cursor, at or now(), COOLDOWN)
    reason = result.skip_reason
    assert result.cursor is not None
    return list(result.run_requests or ()), result.cursor, str(reason.skip_message if reason else "")


def run_of(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    return instance.create_run_for_job(training, tags=dict(request.tags), status=status)


def test_without_a_cause_nothing_is_requested(instance: dg.DagsterInstance) -> None:
    assert tick(instance)[0] == []
    found(instance)
    requests, _, reason = tick(instance)
    assert (requests, reason) == ([], "nothing asks for a training")


def test_a_cause_is_requested_once_and_the_run_says_why(instance: dg.DagsterInstance) -> None:
    found(instance, "drift:v1:2020-01-01", "expiry:v1:2020-01")
    (request,), cursor, _ = tick(instance)
    assert request.tags[CAUSES_TAG] == "normal: drift, expiry"
    assert "detail of drift:v1:2020-01-01" in request.tags[WHY_TAG]
    run_of(instance, request, dg.DagsterRunStatus.SUCCESS)
    # Found again each night, of the same evidence: no storm, even long after.
    for _ in range(3):
        found(instance, "drift:v1:2020-01-01", "expiry:v1:2020-01")
        requests, cursor, _ = tick(instance, cursor, now() + LATER)
        assert requests == []
    found(instance, "drift:v1:2020-03-31")
    (again,), _, _ = tick(instance, cursor, now() + LATER)
    assert again.tags[CAUSES_TAG] == "normal: drift"
    assert again.run_key != request.run_key


def test_many_events_between_two_ticks_are_one_request_and_none_is_lost(instance: dg.DagsterInstance) -> None:
    _, cursor, _ = tick(instance)
    for _ in range(250):  # more than one page
        found(instance)
    found(instance, "accuracy:v1:1")
    found(instance, "expiry:e1:2020-01", model_type="earnings")
    (request,), cursor, _ = tick(instance, cursor)
    assert request.tags[CAUSES_TAG] == "normal: accuracy; earnings: expiry"
    after = json.loads(cursor)["after"]
    assert set(after) == {"normal", "earnings"}
    assert tick(instance, cursor, now() + LATER)[0] == []


def test_an_event_of_one_asset_older_than_one_of_the_other_is_read(instance: dg.DagsterInstance) -> None:
    """The position of each asset is its own: a later event of the other must not hide an earlier one."""
    found(instance, "expiry:e1:2020-01", model_type="earnings")
    found(instance)
    _, cursor, _ = tick(instance)
    position = json.loads(cursor)
    found(instance, "drift:v1:x")
    found(instance, model_type="earnings")
    position["after"]["normal"] = 0
    (request,), _, _ = tick(instance, json.dumps(position), now() + LATER)
    assert "drift" in request.tags[CAUSES_TAG]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_while_a_training_is_under_way_causes_wait(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    under_way = instance.create_run_for_job(training, status=status)
    found(instance, "drift:v1:x")
    requests, cursor, reason = tick(instance)
    assert requests == []
    assert under_way.run_id in reason
    assert "drift" in reason
    # The events have been read: what waits is in the cursor.
    instance.report_run_canceled(under_way)
    (request,), _, _ = tick(instance, cursor, now() + LATER)
    assert request.tags[CAUSES_TAG] == "normal: drift"


def test_after_a_training_causes_wait_until_it_has_cooled_down(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(training, status=dg.DagsterRunStatus.SUCCESS)
    found(instance, "drift:v1:x")
    requests, cursor, reason = tick(instance)
    assert requests == []
    assert "the next may at" in reason
    assert len(tick(instance, cursor, now() + LATER)[0]) == 1


def test_a_cause_that_is_gone_before_its_turn_is_dropped(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(training, status=dg.DagsterRunStatus.SUCCESS)
    found(instance, "expiry:v1:2020-01")
    _, cursor, _ = tick(instance)
    found(instance)  # trained by hand in the meantime
    assert tick(instance, cursor, now() + LATER)[0] == []


def test_a_request_whose_run_failed_is_made_again_but_not_for_ever(instance: dg.DagsterInstance) -> None:
    found(instance, "drift:v1:x")
    cursor, at, keys = None, now(), set()
    for attempt in range(1, ATTEMPTS + 1):
        (request,), cursor, _ = tick(instance, cursor, at)
        keys.add(request.run_key)
        run_of(instance, request, dg.DagsterRunStatus.FAILURE)
        assert json.loads(cursor)["request"]["attempt"] == attempt
        at += LATER
    assert len(keys) == ATTEMPTS
    assert tick(instance, cursor, at)[0] == []


def test_a_request_whose_failed_run_was_repeated_is_not_made_again(instance: dg.DagsterInstance) -> None:
    found(instance, "drift:v1:x")
    (request,), cursor, _ = tick(instance)
    run_of(instance, request, dg.DagsterRunStatus.FAILURE)
    run_of(instance, request, dg.DagsterRunStatus.SUCCESS)  # the daemon's repetition carries the same tags
    assert tick(instance, cursor, now() + LATER)[0] == []


def test_the_same_state_gives_the_same_run_key(instance: dg.DagsterInstance) -> None:
    """A daemon that stops between the run and the cursor asks again: Dagster then starts no second run."""
    found(instance, "drift:v1:x", "expiry:v1:2020-01")
    assert tick(instance)[0][0].run_key == tick(instance)[0][0].run_key


@pytest.mark.parametrize(("profile", "status"), [("embedded", "STOPPED"), ("compose", "RUNNING")])
def test_it_stands_still_where_history_does_not_grow(
    profile: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKEE_PROFILE", profile)
    assert retrain_sensor(Settings()).default_status.value == status


def test_as_dagster_calls_it(instance: dg.DagsterInstance) -> None:
    found(instance, "drift:v1:x")
    sensor = retrain_sensor(Settings())
    with dg.build_sensor_context(instance=instance) as context:
        data = sensor.evaluate_tick(context)
    (request,) = data.run_requests or ()
    assert request.tags[REQUEST_TAG] == request.run_key
    assert data.cursor
