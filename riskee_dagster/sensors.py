"""Retraining by evidence: one sensor reads what the watch assets found, and requests one run for all of it."""

import hashlib
from datetime import datetime, timedelta

import dagster as dg
import msgspec

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
    """The latest request: its id is that of its run's tag; `attempt` counts from 1."""

    id: str
    attempt: int
    causes: dict[str, list[Found]]


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


def recall_lost(instance: dg.DagsterInstance, cursor: Cursor) -> Cursor:
    """Let the causes of a request wait again when its run failed, but not for ever."""
    request = cursor.request
    if request is None or request.attempt >= ATTEMPTS:
        return cursor
    runs = instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: request.id}))
    if not runs or not all(run.status in _LOST for run in runs):
        return cursor
    keys = {one.key for found in request.causes.values() for one in found}
    return msgspec.structs.replace(
        cursor, waiting=request.causes | cursor.waiting, handled=[key for key in cursor.handled if key not in keys]
    )


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
    cursor = recall_lost(instance, read_events(instance, cursor))
    if not cursor.waiting:
        return dg.SensorResult(skip_reason="nothing asks for a training", cursor=_encoded(cursor))
    told = "; ".join(f"{name}: {', '.join(one.kind for one in found)}" for name, found in cursor.waiting.items())
    reason = obstacle(instance, now, cooldown)
    if reason:
        return dg.SensorResult(skip_reason=f"{told} — waits, for {reason}", cursor=_encoded(cursor))
    request = _request(cursor)
    why = "\n".join(f"{name}: {one.kind}: {one.detail}" for name, found in cursor.waiting.items() for one in found)
    keys = [one.key for found in cursor.waiting.values() for one in found]
    done = Cursor(after=cursor.after, handled=[*cursor.handled, *keys][-REMEMBERED:], request=request)
    run = dg.RunRequest(
        # The daemon starts no second run for it, even where it stops between the run and the cursor.
        run_key=request.id,
        tags={REQUEST_TAG: request.id, CAUSES_TAG: told, WHY_TAG: why},
    )
    return dg.SensorResult(run_requests=[run], cursor=_encoded(done))


def _request(cursor: Cursor) -> Request:
    last = cursor.request
    again = last is not None and last.causes == cursor.waiting
    attempt = last.attempt + 1 if last is not None and again else 1
    keys = sorted(one.key for found in cursor.waiting.values() for one in found)
    text = "\n".join([str(attempt), *keys])
    return Request(hashlib.sha256(text.encode()).hexdigest()[:16], attempt, cursor.waiting)


def _encoded(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


def retrain_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor. On the embedded stack it is stopped: its history does not grow, so a training finds what it found."""
    embedded = settings.profile == "embedded"

    @dg.sensor(
        name="retrain_on_evidence",
        job=RETRAIN,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED if embedded else dg.DefaultSensorStatus.RUNNING,
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
