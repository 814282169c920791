"""`riskee backup`: make, list, verify, restore and prune backups."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.console import Json, print_json, print_table
from riskee.cli.runtime import read_settings
from riskee.errors import FatalError, PoisonError

if TYPE_CHECKING:
    from riskee.backup.manifest import Manifest
    from riskee.backup.repository import Repository
    from riskee.settings import Settings

app = typer.Typer(help="Make, list, verify, restore and prune backups.", no_args_is_help=True)

BackupId = Annotated[
    str | None,
    typer.Argument(metavar="[BACKUP]", help="As `list` names it; the newest if left out.", show_default=False),
]
_MIB = 2**20


@app.command()
def create(
    only: Annotated[
        str | None, typer.Option(help="Of nats,postgres,redis,vectors,files only these.", show_default="all")
    ] = None,
    json: Json = False,
) -> None:
    """Back up the database, the streams, the cache, the vectors and the reports, while all of it runs."""
    from riskee.backup.creating import SYSTEMS
    from riskee.backup.creating import create as make
    from riskee.cli.board import make_board
    from riskee.clock import SystemClock

    settings = read_settings()
    chosen = SYSTEMS if only is None else tuple(name.strip() for name in only.split(",") if name.strip())
    with make_board(error=json) as board:
        manifest = make(settings, _repository(settings), SystemClock(), board.task, chosen)
    if json:
        print_json(_shown(manifest))
        return
    rows = ((p.system, _mib(sum(o.stored_bytes for o in p.objects)), f"{p.seconds:.1f}") for p in manifest.parts)
    print_table("", ("system", "MiB", "seconds"), rows)
    typer.echo(f"backup {manifest.backup_id} is complete in {_repository(settings).target.address}")


@app.command("list")
def list_(json: Json = False) -> None:
    """List the backups, newest first, and what each holds."""
    repository = _repository(read_settings())
    manifests = repository.manifests()
    if json:
        print_json([_shown(manifest) for manifest in manifests])
        return
    rows = (
        (
            m.backup_id,
            f"{m.started_at:%Y-%m-%d %H:%M}",
            f"{(m.finished_at - m.started_at).total_seconds():.0f}",
            _mib(m.stored_bytes),
            ", ".join(part.system for part in m.parts if not part.left_out),
        )
        for m in manifests
    )
    print_table("", ("backup", "begun (UTC)", "seconds", "MiB", "holds"), rows)
    if not manifests:
        typer.echo(f"there are no backups in {repository.target.address}: `riskee backup create` makes one")
    for one in repository.incomplete_ids():
        typer.echo(f"{one} is not complete: it is being made, or was broken off (`riskee backup prune` removes it)")


@app.command()
def verify(
    backup: BackupId = None,
    everything: Annotated[bool, typer.Option("--all", help="Verify all backups.")] = False,
    json: Json = False,
) -> None:
    """Read a backup whole, and the database's log after it; fails where anything is cut short, changed or missing."""
    from riskee.backup.verifying import verify as check
    from riskee.cli.board import make_board

    repository = _repository(read_settings())
    manifests = repository.manifests() if everything else [repository.find(backup)]
    found = []
    with make_board(error=json) as board:
        for manifest in manifests:
            with board.task(f"Verifying {manifest.backup_id}") as task:
                found.append(check(repository, manifest, task))
    if json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        typer.echo(
            f"{one.backup_id} is whole: {one.objects} objects, {_mib(one.stored_bytes)} MiB, "
            f"{one.wal_files} files of log"
        )


@app.command()
def restore(
    backup: BackupId = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="To this moment, in UTC: 2026-01-31T09:30:00. Needs the database's log."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the data that is there.")] = False,
    dumps: Annotated[bool, typer.Option("--dumps", help="Into running servers, the database from its dump.")] = False,
    extract: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Only unpack it, into a new folder.")] = None,
    timeline: Annotated[
        int | None, typer.Option(min=1, help="Of a log that restores made fork, this one.", show_default="the latest")
    ] = None,
    json: Json = False,
) -> None:
    """Restore a backup into a stopped embedded stack.

    It is verified whole before anything is changed. Where others run the servers, --dumps fills empty ones that run,
    and --extract gives the files.
    """
    from riskee.backup.repository import repository_of
    from riskee.cli.backup_restore import restore_elsewhere, restore_stack

    settings, moment = read_settings(), None if at is None else parse_moment(at)
    if moment is not None and (dumps or extract):
        raise FatalError("a dump knows one moment only", "leave out --at, or --dumps and --extract")
    repository = repository_of(settings)
    if extract is not None or dumps:
        restore_elsewhere(settings, repository, backup, extract, json=json)
    else:
        restore_stack(settings, repository, backup, moment, overwrite=overwrite, timeline=timeline, json=json)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove the backups that the policy does not keep (RISKEE_BACKUP__KEEP_*), and the log before the oldest."""
    from riskee.backup.retention import prune as remove
    from riskee.clock import SystemClock

    settings = read_settings()
    done = remove(_repository(settings), settings.backup, SystemClock().now(), dry_run=dry_run)
    if json:
        print_json(asdict(done))
        return
    verb = "would be removed" if dry_run else "removed"
    for one in (*done.removed, *done.abandoned):
        typer.echo(f"{one} {verb}")
    typer.echo(f"{len(done.kept)} backups kept, {done.wal_files} files of log {verb}")


@app.command()
def ship(json: Json = False) -> None:
    """Store what the database's archiver has left of its log since the last time."""
    from riskee.backup.wal import ship_and_note, wal_folder
    from riskee.clock import SystemClock

    settings = read_settings()
    done = ship_and_note(_repository(settings), wal_folder(settings), SystemClock())
    if json:
        print_json(asdict(done))
        return
    typer.echo(f"{done.files} files of log stored" + (f", the last {done.newest}" if done.newest else ""))


def parse_moment(text: str) -> datetime:
    """A moment in UTC; one without a zone is in UTC. Raises PoisonError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise PoisonError(f"{text} is no moment", "write it as 2026-01-31T09:30:00, in UTC") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _shown(manifest: Manifest) -> dict[str, object]:
    """What a program wants to know of a backup."""
    return {
        "backup_id": manifest.backup_id,
        "started_at": manifest.started_at,
        "finished_at": manifest.finished_at,
        "stored_bytes": manifest.stored_bytes,
        "product": manifest.product,
        "parts": {
            part.system: {
                "seconds": part.seconds,
                "stored_bytes": sum(one.stored_bytes for one in part.objects),
                "content_bytes": sum(one.content_bytes for one in part.objects),
                "counts": part.counts,
                "left_out": part.left_out,
            }
            for part in manifest.parts
        },
    }


def _repository(settings: Settings) -> Repository:
    from riskee.backup.repository import repository_of

    return repository_of(settings)


def _mib(size: int) -> str:
    return f"{size / _MIB:,.1f}"
