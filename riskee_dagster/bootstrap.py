"""`python -m riskee_dagster.bootstrap [--if-needed]`: materialise every asset, in this process.

With --if-needed nothing, where all are there; but SQL models that were made by another definition are made again.

Writes one JSON object a line to stdout as things happen:
{"asset": "market_data", "state": "start" | "done" | "failed", "done": 3, "total": 40, "seconds": 1.2, "detail": "…"}
A step that has news of itself repeats its `start` with another `detail`. Exit code 0: everything is materialised.
"""

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from datetime import date
from typing import TextIO

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, EventLogEntry

# Not documented, and without a documented equal: `JobDefinition.execute_in_process` gives its run no origin, so that
# "Re-execute" in the UI would fail for it. The versions are pinned, and tests run this.
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import EngineEventData
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import MAX_RETRIES_TAG

from riskee.settings import Settings, load_settings
from riskee_dagster.defs.features import MODELS, model_key
from riskee_dagster.launcher import HOST_TAG, worker_tags
from riskee_dagster.partitions import ONLY_CHANGED, range_tags

JOB = "pipeline"
# The console shows the lines above; Dagster's own log goes to its event log, where the UI finds it.
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
# The UI looks for the code location by its name; where it listens does not matter for that.
_ORIGIN = RemoteRepositoryOrigin(
    GrpcServerCodeLocationOrigin("127.0.0.1", 4000, location_name="riskee"), "__repository__"
)


@dataclass
class Progress:
    """Turns Dagster's events into lines."""

    out: TextIO
    total: int
    done: int = 0
    failures: list[str] = field(default_factory=list)
    _started: dict[str, float] = field(default_factory=dict)

    def __call__(self, entry: EventLogEntry) -> None:
        """Take one event of the run."""
        step, event = entry.step_key, entry.dagster_event
        if step is None:
            if event is not None and event.event_type is DagsterEventType.RUN_FAILURE and not self.failures:
                self.failures.append(_cause(event.job_failure_data.error) or str(event.message))
            return
        if event is None:
            self.write(step, "start", entry.user_message)
        elif event.event_type is DagsterEventType.STEP_START:
            self._started[step] = time.monotonic()
            self.write(step, "start")
        elif event.event_type in (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_SKIPPED):
            self.done += 1
            self.write(step, "done")
        elif event.event_type is DagsterEventType.STEP_UP_FOR_RETRY:
            self.write(step, "start", "failed, is tried again")
        elif event.event_type is DagsterEventType.STEP_FAILURE:
            cause = _cause(event.step_failure_data.error) or str(event.message)
            self.failures.append(f"{step}: {cause}")
            self.write(step, "failed", cause)

    def write(self, step: str, state: str, detail: str = "") -> None:
        """One line."""
        seconds = time.monotonic() - self._started.get(step, time.monotonic())
        line = {
            "asset": step.replace("__", "/"),
            "state": state,
            "done": self.done,
            "total": self.total,
            "seconds": round(seconds, 2),
            "detail": detail,
        }
        print(json.dumps(line, ensure_ascii=False), file=self.out, flush=True)


def _cause(error: object) -> str:
    """The innermost message of a Dagster error: the outer ones only say which step failed."""
    cause = ""
    while error is not None:
        cause = str(getattr(error, "message", "")).strip() or cause
        error = getattr(error, "cause", None)
    return cause


def missing_assets(instance: DagsterInstance, definitions: dg.Definitions) -> list[dg.AssetKey]:
    """The assets that were never materialised."""
    keys = list(definitions.resolve_asset_graph().materializable_asset_keys)
    made = {
        record.asset_entry.asset_key
        for record in instance.get_asset_records(keys)
        if record.asset_entry.last_materialization_record is not None
    }
    return [key for key in keys if key not in made]


def outdated_models(
    instance: DagsterInstance, definitions: dg.Definitions, models: Set[dg.AssetKey]
) -> set[dg.AssetKey]:
    """Of the SQL models those that were last made by another definition, and what is made from these."""
    graph = definitions.resolve_asset_graph()
    made_by = instance.get_latest_materialization_code_versions(models)
    changed = [key for key in models if graph.get(key).code_version != made_by[key]]
    return set(dg.AssetSelection.assets(*changed).downstream().resolve(graph)) & models


def needed(instance: DagsterInstance, definitions: dg.Definitions) -> dg.JobDefinition | None:
    """What an installation lacks of the whole job, None where nothing: after an update the views of a home that has
    everything are still those of the version before."""
    job = definitions.resolve_job_def(JOB)
    if missing_assets(instance, definitions):
        return job
    outdated = outdated_models(instance, definitions, {model_key(model.name) for model in MODELS.models})
    return job.get_subset(asset_selection=outdated) if outdated else None


Days = Callable[[], tuple[date, date] | None]
"""Called once the history is there: its first and last day, or None without any."""


def run(instance: DagsterInstance, job: dg.JobDefinition, out: TextIO, days: Days = lambda: None) -> list[str]:
    """Execute the job and write its progress. Returns what failed, nothing when all went well.

    What assets by day read is made first, in a run of its own: then it is known which days there are.
    """
    progress = Progress(out, total=len(job.graph.nodes))
    graph = job.asset_layer.asset_graph
    selected = set(job.asset_layer.selected_asset_keys)
    by_day = {key for key in selected if graph.get(key).partitions_def is not None}
    first = (dg.AssetSelection.assets(*by_day).upstream().resolve(graph) & selected) - by_day
    for stage in filter(None, (first, selected - first)):
        instance_run = _create(instance, job, stage)
        if by_day & stage and (found := days()):
            # Not before: Dagster would announce each of thousands of days with an event of its own.
            instance.add_run_tags(instance_run.run_id, ONLY_CHANGED | range_tags(*found))
        failures = _execute(instance, job, stage, instance_run.run_id, progress)
        if failures:
            return failures
    return []


def _create(instance: DagsterInstance, job: dg.JobDefinition, stage: Set[dg.AssetKey]) -> dg.DagsterRun:
    """A run of a part of the job. A repetition is the caller's business, not the daemon's."""
    return instance.create_run_for_job(
        job_def=job.get_subset(asset_selection=stage),
        asset_selection=frozenset(stage),
        run_config=QUIET,
        tags={**job.run_tags, HOST_TAG: socket.gethostname(), MAX_RETRIES_TAG: "0", **worker_tags(os.getpid())},
        remote_job_origin=RemoteJobOrigin(_ORIGIN, job.name),
    )


def _execute(
    instance: DagsterInstance, job: dg.JobDefinition, stage: Set[dg.AssetKey], run_id: str, progress: Progress
) -> list[str]:
    made = instance.get_run_by_id(run_id)
    assert made is not None  # noqa: S101 (it was created just now)
    # Where the daemon's run monitoring looks for the process.
    instance.report_engine_event(
        f"Started by the bootstrap (pid: {os.getpid()}).", made, EngineEventData.in_process(os.getpid())
    )
    instance.add_event_listener(run_id, progress)
    result = execute_run(InMemoryJob(job.get_subset(asset_selection=stage)), made, instance)
    return [] if result.success else progress.failures or [f"run {run_id} did not succeed"]


def stored_days(settings: Settings) -> tuple[date, date] | None:
    """The first and the last day with a bar."""
    from riskee.storage.database import database_errors, make_engine
    from riskee.storage.tickers import summaries

    engine = make_engine(settings.database.url, 1)
    try:
        with database_errors(), engine.connect() as connection:
            found = [(ticker.first, ticker.last) for ticker in summaries(connection) if ticker.first and ticker.last]
    finally:
        engine.dispose()
    return (min(first for first, _ in found), max(last for _, last in found)) if found else None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m riskee_dagster.bootstrap", description=__doc__)
    parser.add_argument("--if-needed", action="store_true", help="only what is missing or was made by another version")
    arguments = parser.parse_args()
    from riskee_dagster.definitions import riskee

    settings = load_settings()
    os.environ.setdefault("DAGSTER_HOME", str(settings.home / "dagster"))
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")
    definitions = riskee()
    # Dagster redirects the standard output while a step runs: the lines go to where it was pointed before.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as out, DagsterInstance.get() as instance:
        job = needed(instance, definitions) if arguments.if_needed else definitions.resolve_job_def(JOB)
        failures = run(instance, job, out, lambda: stored_days(settings)) if job else []
    for failure in failures:
        print(failure, file=sys.stderr)  # noqa: T201 - the command's answer
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
