"""Backups by schedule: all of it at night, the database's log every few minutes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from riskee.settings import Settings
from riskee_dagster.declare import RETRY, product_errors
from riskee_dagster.jobs import LIMITS
from riskee_dagster.resources import RiskeeParam

if TYPE_CHECKING:
    from riskee.backup.creating import Step, Telling


@dg.op(retry_policy=RETRY, tags={"kind": "backup"})
@product_errors
def backup_create(context: dg.OpExecutionContext, riskee: RiskeeParam) -> None:
    """Back up the database, the streams, the cache, the vectors and the reports."""
    from riskee.backup.creating import create
    from riskee.backup.repository import repository_of

    manifest = create(riskee.settings, repository_of(riskee.settings), riskee.clock, _step(context))
    seconds = {f"{part.system}_seconds": part.seconds for part in manifest.parts}
    context.add_output_metadata({"backup_id": manifest.backup_id, "stored_bytes": manifest.stored_bytes, **seconds})


@dg.op(retry_policy=RETRY, ins={"after": dg.In(dg.Nothing)}, tags={"kind": "backup"})
@product_errors
def backup_verify(context: dg.OpExecutionContext, riskee: RiskeeParam) -> None:
    """Read the new backup whole: one that cannot be read is none, and says so the same night."""
    from riskee.backup.repository import repository_of
    from riskee.backup.verifying import verify

    repository = repository_of(riskee.settings)
    manifest = repository.find(None)
    with _step(context)(f"verifying {manifest.backup_id}") as telling:
        found = verify(repository, manifest, telling)
    context.add_output_metadata({"objects": found.objects, "wal_files": found.wal_files})


@dg.op(retry_policy=RETRY, ins={"after": dg.In(dg.Nothing)}, tags={"kind": "backup"})
@product_errors
def backup_prune(context: dg.OpExecutionContext, riskee: RiskeeParam) -> None:
    """Remove what the policy does not keep, once the new backup was read whole."""
    from riskee.backup.repository import repository_of
    from riskee.backup.retention import prune

    done = prune(repository_of(riskee.settings), riskee.settings.backup, riskee.clock.now())
    context.add_output_metadata({"kept": len(done.kept), "removed": len(done.removed), "wal_files": done.wal_files})


@dg.op(retry_policy=RETRY, tags={"kind": "backup"})
@product_errors
def backup_ship(context: dg.OpExecutionContext, riskee: RiskeeParam) -> None:
    """Store what PostgreSQL's archiver has left of its log."""
    from riskee.backup.repository import repository_of
    from riskee.backup.wal import ship_and_note, wal_folder

    done = ship_and_note(repository_of(riskee.settings), wal_folder(riskee.settings), riskee.clock)
    context.add_output_metadata({"files": done.files, "newest": done.newest})


@dg.job(description="Backs up all that cannot be made again, verifies it, prunes what is too old.", tags=LIMITS)
def backup() -> None:
    backup_prune(after=backup_verify(after=backup_create()))


@dg.job(description="Stores the database's log, so that it can be restored to any moment.", tags=LIMITS)
def backup_log() -> None:
    backup_ship()


JOBS = [backup, backup_log]


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """They run where the settings name a target: nobody's disk is filled unasked."""
    wanted = bool(settings.backup.target)
    status = dg.DefaultScheduleStatus.RUNNING if wanted else dg.DefaultScheduleStatus.STOPPED
    keeps_log = settings.backup.wal_archive or settings.backup.wal_folder is not None
    log_status = dg.DefaultScheduleStatus.RUNNING if wanted and keeps_log else dg.DefaultScheduleStatus.STOPPED
    return [
        dg.ScheduleDefinition(
            name="backup_daily",
            job=backup,
            cron_schedule=settings.backup.schedule,
            execution_timezone="UTC",
            default_status=status,
            description="Runs where RISKEE_BACKUP__TARGET is set.",
        ),
        dg.ScheduleDefinition(
            name="backup_log_often",
            job=backup_log,
            cron_schedule="*/5 * * * *",
            execution_timezone="UTC",
            default_status=log_status,
            description="Every five minutes, where PostgreSQL's log is kept: so much is lost with its disk at most.",
        ),
    ]


def _step(context: dg.OpExecutionContext) -> "Step":
    @contextmanager
    def step(title: str) -> Iterator["Telling"]:
        context.log.info(title)
        yield _Told(context)

    return step


class _Told:
    def __init__(self, context: dg.OpExecutionContext) -> None:
        self._context = context

    def tell(self, detail: str) -> None:
        self._context.log.debug(detail)
