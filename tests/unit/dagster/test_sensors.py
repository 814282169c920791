"""The retraining sensor on an instance in memory: what it requests, what waits, and that nothing is lost."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

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


@dg.job(name="pipeline")
def bootstrap() -> None:
    nothing()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def now() -> datetime:
    return datetime.now(UTC)


def found(instance: dg.DagsterInstance, *keys: str, model_type: str = "normal", detail: str = "detail of {}") -> None:
    """A watch asset was materialised, with these causes."""
    causes = [{"kind": key.partition(":")[0], "key": key, "detail": detail.format(key)} for key in keys]
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


def test_what_was_given_up_is_told_until_something_new_comes(instance: dg.DagsterInstance) -> None:
    found(instance, "drift:v1:x")
    cursor, at = None, now()
    for _ in range(ATTEMPTS):
        (request,), cursor, _ = tick(instance, cursor, at)
        run_of(instance, request, dg.DagsterRunStatus.FAILURE)
        at += LATER
    for _ in range(2):
        found(instance, "drift:v1:x")
        requests, cursor, reason = tick(instance, cursor, at)
        assert requests == []
        assert reason == "given up after 3 failed runs: normal: drift; until something new is found"
    found(instance, "drift:v1:x", "expiry:v1:2020-01")
    (request,), cursor, _ = tick(instance, cursor, at)
    assert (request.tags[CAUSES_TAG], json.loads(cursor)["request"]["attempt"]) == ("normal: expiry", 1)


def test_the_same_evidence_in_other_words_is_another_attempt(instance: dg.DagsterInstance) -> None:
    cursor, at, keys, attempts = None, now(), set(), []
    for sessions in (30, 31, 32):
        found(instance, "new data:v1:1", detail=f"{sessions} sessions")
        # While the run was lost the evidence grew: the newest words wait.
        (request,), cursor, _ = tick(instance, cursor, at)
        assert f"{sessions} sessions" in request.tags[WHY_TAG]
        run_of(instance, request, dg.DagsterRunStatus.FAILURE)
        _, cursor, _ = tick(instance, cursor, now())
        keys.add(request.run_key)
        attempts.append(json.loads(cursor)["request"]["attempt"])
        at += LATER
    assert attempts == [1, 2, 3]
    assert len(keys) == 3
    found(instance, "new data:v1:1", detail="33 sessions")
    assert tick(instance, cursor, at)[0] == []


def test_evidence_that_came_and_went_brings_no_former_run_key_back(instance: dg.DagsterInstance) -> None:
    """Dagster starts nothing for a run key that it has seen."""
    cursor, at, keys = None, now(), []
    for causes in (["drift:v1:x"], ["drift:v1:x", "expiry:v1:2020-01"], ["drift:v1:x"]):
        _, cursor, _ = tick(instance, cursor, now())
        found(instance, *causes)
        (request,), cursor, _ = tick(instance, cursor, at)
        run_of(instance, request, dg.DagsterRunStatus.FAILURE)
        keys.append(request.run_key)
        at += LATER
    assert len(set(keys)) == 3


@pytest.fixture
def repeating(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """An instance whose daemon starts killed runs again."""
    monkeypatch.setattr(type(instance), "run_retries_enabled", True)
    return instance


def killed(instance: dg.DagsterInstance, request: dg.RunRequest) -> dg.DagsterRun:
    """A failed run of a request that the daemon is about to start again."""
    run = run_of(instance, request, dg.DagsterRunStatus.FAILURE)
    instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "true"})
    return run


def test_a_tick_between_a_killed_run_and_its_repetition_recalls_nothing(repeating: dg.DagsterInstance) -> None:
    found(repeating, "drift:v1:x")
    (request,), cursor, _ = tick(repeating)
    run = killed(repeating, request)
    _, cursor, reason = tick(repeating, cursor, now())
    assert reason == "nothing asks for a training"
    again = run_of(repeating, request, dg.DagsterRunStatus.STARTED)
    repeating.add_run_tags(run.run_id, {AUTO_RETRY_RUN_ID_TAG: again.run_id})
    _, cursor, _ = tick(repeating, cursor, now())
    repeating.report_run_canceled(again)
    run_of(repeating, request, dg.DagsterRunStatus.SUCCESS)  # a person started it once more
    assert tick(repeating, cursor, now() + LATER)[0] == []


def test_a_failure_that_is_not_judged_yet_is_waited_for(repeating: dg.DagsterInstance) -> None:
    """The tag that says whether the daemon repeats a run comes just after its failure."""
    found(repeating, "drift:v1:x")
    (request,), cursor, _ = tick(repeating)
    run = run_of(repeating, request, dg.DagsterRunStatus.FAILURE)
    requests, cursor, _ = tick(repeating, cursor, now() + LATER)
    assert requests == []
    repeating.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})
    assert len(tick(repeating, cursor, now() + LATER)[0]) == 1


def test_causes_that_were_recalled_are_dropped_when_a_run_succeeds_after_all(instance: dg.DagsterInstance) -> None:
    found(instance, "drift:v1:x")
    (request,), cursor, _ = tick(instance)
    run_of(instance, request, dg.DagsterRunStatus.FAILURE)
    _, cursor, reason = tick(instance, cursor, now())
    assert "drift — waits" in reason
    run_of(instance, request, dg.DagsterRunStatus.SUCCESS)  # executed again from the UI
    requests, cursor, reason = tick(instance, cursor, now() + LATER)
    assert (requests, reason) == ([], "nothing asks for a training")
    found(instance, "drift:v1:x")
    assert tick(instance, cursor, now() + LATER)[0] == []


def test_a_recalled_cause_that_is_gone_stays_gone(instance: dg.DagsterInstance) -> None:
    found(instance, "drift:v1:x")
    (request,), cursor, _ = tick(instance)
    run_of(instance, request, dg.DagsterRunStatus.FAILURE)
    _, cursor, _ = tick(instance, cursor, now())
    found(instance)
    _, cursor, _ = tick(instance, cursor, now())
    assert tick(instance, cursor, now() + LATER)[0] == []


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


@pytest.mark.parametrize("profile", ["embedded", "compose"])
def test_it_runs_on_every_profile(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_PROFILE", profile)
    assert retrain_sensor(Settings()).default_status is dg.DefaultSensorStatus.RUNNING


def test_after_the_bootstrap_nothing_is_trained_before_the_cooldown(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(bootstrap, status=dg.DagsterRunStatus.SUCCESS)
    found(instance, "drift:v1:x", "accuracy:v1:0")
    requests, cursor, reason = tick(instance, None, now() + COOLDOWN - timedelta(minutes=1))
    assert requests == []
    assert "pipeline began at" in reason
    assert len(tick(instance, cursor, now() + LATER)[0]) == 1


def test_a_replay_that_begins_anew_asks_for_nothing_again(instance: dg.DagsterInstance) -> None:
    """Each block of its sessions once, however often it is played."""
    cursor, at, requested = None, now(), 0
    for _ in range(5):
        for block in ("drift:v1:2020-03-01", "drift:v1:2020-06-01"):
            found(instance, block)
            requests, cursor, _ = tick(instance, cursor, at)
            for request in requests:
                run_of(instance, request, dg.DagsterRunStatus.SUCCESS)
            requested += len(requests)
            at += LATER
    assert requested == 2


def test_as_dagster_calls_it(instance: dg.DagsterInstance) -> None:
    found(instance, "drift:v1:x")
    sensor = retrain_sensor(Settings())
    with dg.build_sensor_context(instance=instance) as context:
        data = sensor.evaluate_tick(context)
    (request,) = data.run_requests or ()
    assert request.tags[REQUEST_TAG] == request.run_key
    assert data.cursor
