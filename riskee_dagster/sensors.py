"""Retraining by evidence: one sensor reads what the watch assets found, and requests one run for all of it."""

import hashlib
from datetime import datetime, timedelta

import dagster as dg
import msgspec
from dagster._core.storage.tags import WILL_RETRY_TAG

from riskee.clock import SystemClock
from riskee.messaging.messages import MODEL_TYPES
from riskee.settings import Settings
from riskee_dagster.declare import WHY_TAG
from riskee_dagster.defs.monitoring import CAUSES, watch_key
from riskee_dagster.jobs import PIPELINE, RETRAIN

# Runs that train: while one is under way, or has just begun, no other is requested.
TRAINING_JOBS = (RETRAIN.name, PIPELINE.name)
REQUEST_TAG, CAUSES_TAG = "riskee/request", "riskee/causes"
# A request whose run failed is made again, this often in all.
ATTEMPTS = 3
# Keys of evidence that has been acted on; the oldest are forgotten.
REMEMBERED = 200
_BATCH = 100
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_LOST = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


class Found(msgspec.Struct, frozen=True):
    """A cause as a watch asset's metadata have it."""

    kind: str
    key: str
    detail: str


class Request(msgspec.Struct, frozen=True):
    """The latest request: its id is that of its run's tag; `number` counts all, `attempt` those for these causes.

    `recalled` once its causes wait again.
    """

    id: str
    attempt: int
    causes: dict[str, list[Found]]
    number: int = 1
    recalled: bool = False


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sensor remembers: how far it has read, what waits, what it has acted on. All by model type."""

    after: dict[str, int] = {}
    waiting: dict[str, list[Found]] = {}
    handled: list[str] = []
    request: Request | None = None


def read_events(instance: dg.DagsterInstance, cursor: Cursor) -> Cursor:
    """Read all materialisations of the watch assets after the cursor, in order.

    Each says everything that held when it was made: the latest counts, and nothing between two ticks is passed over.
    """
    # A position for each asset: one for both would pass over what the first gets while the second is read.
    after, waiting = dict(cursor.after), dict(cursor.waiting)
    for model_type in MODEL_TYPES:
        position = after.get(model_type, 0)
        while True:
            records = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=watch_key(model_type), after_storage_id=position),
                limit=_BATCH,
                ascending=True,
            ).records
            for record in records:
                position = record.storage_id
                waiting[model_type] = [one for one in _causes(record) if one.key not in cursor.handled]
            if len(records) < _BATCH:
                break
        after[model_type] = position
    return msgspec.structs.replace(
        cursor, after=after, waiting={name: found for name, found in waiting.items() if found}
    )


def _causes(record: dg.EventLogRecord) -> list[Found]:
    materialization = record.asset_materialization
    stored = materialization.metadata.get(CAUSES) if materialization else None
    return msgspec.convert(stored.value, list[Found]) if stored else []


def settle(instance: dg.DagsterInstance, cursor: Cursor) -> Cursor:
    """Let the causes of a request wait again, once, when its run failed for good; not when it succeeded after all."""
    request = cursor.request
    if request is None:
        return cursor
    trained, keys = outcome(instance, request), _keys(request.causes)
    if trained is False and not request.recalled and request.attempt < ATTEMPTS:
        names = request.causes | cursor.waiting
        merged = {
            name: list(
                {one.key: one for one in (*request.causes.get(name, ()), *cursor.waiting.get(name, ()))}.values()
            )
            for name in names
        }
        handled = [key for key in cursor.handled if key not in keys]
        recalled = msgspec.structs.replace(request, recalled=True)
        return msgspec.structs.replace(cursor, waiting=merged, handled=handled, request=recalled)
    if trained and request.recalled:
        rest = {name: [one for one in found if one.key not in keys] for name, found in cursor.waiting.items()}
        return msgspec.structs.replace(
            cursor,
            waiting={name: found for name, found in rest.items() if found},
            handled=[*cursor.handled, *keys][-REMEMBERED:],
            request=msgspec.structs.replace(request, recalled=False),
        )
    return cursor


def outcome(instance: dg.DagsterInstance, request: Request) -> bool | None:
    """Whether a run of the request has trained; None while one is under way or can still be repeated."""
    runs = instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: request.id}))
    if any(run.status is dg.DagsterRunStatus.SUCCESS for run in runs):
        return True
    lost = bool(runs) and all(run.status in _LOST and not _may_be_repeated(instance, run) for run in runs)
    return False if lost else None


def _may_be_repeated(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the daemon may start a failed run again but has not yet: it says so in a tag, just after the failure."""
    if run.status is dg.DagsterRunStatus.FAILURE and instance.run_retries_enabled and WILL_RETRY_TAG not in run.tags:
        return True
    return bool(run.is_complete_and_waiting_to_retry)


def _keys(causes: dict[str, list[Found]]) -> list[str]:
    return sorted(one.key for found in causes.values() for one in found)


def obstacle(instance: dg.DagsterInstance, now: datetime, cooldown: timedelta) -> str:
    """Why no training may be requested now; empty when one may."""
    for job in TRAINING_JOBS:
        under_way = instance.get_runs(dg.RunsFilter(job_name=job, statuses=_UNDER_WAY), limit=1)
        if under_way:
            return f"run {under_way[0].run_id} of {job} is under way"
        latest = instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)
        if latest and now < (free := latest[0].create_timestamp + cooldown):
            return f"{job} began at {latest[0].create_timestamp:%Y-%m-%d %H:%M} UTC, the next may at {free:%m-%d %H:%M}"
    return ""


def evaluate(instance: dg.DagsterInstance, text: str | None, now: datetime, cooldown: timedelta) -> dg.SensorResult:
    """One tick. What can not be acted on yet waits in the cursor, and the skip message says for what."""
    cursor = msgspec.json.decode(text, type=Cursor) if text else Cursor()
    # What a watch asset has found since is newer than what is recalled.
    cursor = read_events(instance, settle(instance, cursor))
    if not cursor.waiting:
        return dg.SensorResult(skip_reason=_idle(instance, cursor.request), cursor=_encoded(cursor))
    told = _told(cursor.waiting)
    reason = obstacle(instance, now, cooldown)
    if reason:
        return dg.SensorResult(skip_reason=f"{told} — waits, for {reason}", cursor=_encoded(cursor))
    request = _request(cursor)
    why = "\n".join(f"{name}: {one.kind}: {one.detail}" for name, found in cursor.waiting.items() for one in found)
    handled = [*cursor.handled, *_keys(cursor.waiting)][-REMEMBERED:]
    done = Cursor(after=cursor.after, handled=handled, request=request)
    run = dg.RunRequest(
        # The daemon starts no second run for it, even where it stops between the run and the cursor.
        run_key=request.id,
        tags={REQUEST_TAG: request.id, CAUSES_TAG: told, WHY_TAG: why},
    )
    return dg.SensorResult(run_requests=[run], cursor=_encoded(done))


def _told(causes: dict[str, list[Found]]) -> str:
    return "; ".join(f"{name}: {', '.join(one.kind for one in found)}" for name, found in causes.items())


def _idle(instance: dg.DagsterInstance, request: Request | None) -> str:
    if request is not None and request.attempt >= ATTEMPTS and outcome(instance, request) is False:
        return f"given up after {ATTEMPTS} failed runs: {_told(request.causes)}; until something new is found"
    return "nothing asks for a training"


def _request(cursor: Cursor) -> Request:
    """The next request. Its id is derived: no two of a cursor are alike, and the same cursor gives the same one."""
    last, keys = cursor.request, _keys(cursor.waiting)
    # The same evidence in other words ("31 sessions" instead of "30") is no other evidence.
    attempt = last.attempt + 1 if last is not None and _keys(last.causes) == keys else 1
    number = last.number + 1 if last is not None else 1
    text = "\n".join([str(number), *keys])
    return Request(hashlib.sha256(text.encode()).hexdigest()[:16], attempt, cursor.waiting, number)


def _encoded(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


def retrain_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor. It runs everywhere: the bootstrap counts as a training, and what a replay shows again is no news."""

    @dg.sensor(
        name="retrain_on_evidence",
        job=RETRAIN,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Trains again when a watch asset found new data, decay, drift, other features or an expired model: "
        "one run for all that waits, none while another trains or has just trained.",
    )
    def retrain_on_evidence(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cooldown = timedelta(hours=settings.retraining.cooldown_hours)
        result = evaluate(context.instance, context.cursor, SystemClock().now(), cooldown)
        for run in result.run_requests or ():
            context.log.info("retraining: %s", run.tags[WHY_TAG])
        return result

    return retrain_on_evidence
