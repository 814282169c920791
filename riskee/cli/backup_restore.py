"""`riskee backup restore`: into the embedded stack, into servers that others run, or into a folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from riskee.cli.console import print_json, print_table
from riskee.cli.runtime import embedded_stack, read_settings

if TYPE_CHECKING:
    from datetime import datetime

    from infra.embedded.restoring import Restored
    from riskee.backup.manifest import Manifest
    from riskee.backup.repository import Repository
    from riskee.cli.board import Board
    from riskee.settings import Settings


def restore_stack(
    settings: Settings,
    repository: Repository,
    backup: str | None,
    at: datetime | None,
    *,
    overwrite: bool,
    timeline: int | None,
    json: bool,
) -> None:
    """Into the embedded stack, which is stopped."""
    from infra.embedded.restoring import EmbeddedRestore
    from riskee.cli.board import make_board

    with make_board(error=json) as board:
        work = EmbeddedRestore(embedded_stack(settings), read_settings, repository, board.task)
        done = work.run(backup, at, overwrite=overwrite, timeline=timeline)
    _print_restored(done, json=json)


def restore_elsewhere(
    settings: Settings, repository: Repository, backup: str | None, extract: Path | None, *, json: bool
) -> None:
    """Into a folder, or into servers that others run."""
    from riskee.backup.restoring import require_empty
    from riskee.backup.verifying import verify
    from riskee.cli.board import make_board

    manifest = repository.find(backup)
    if extract is not None:
        require_empty(extract, "--extract")
    with make_board(error=json) as board:
        with board.task(f"Verifying {manifest.backup_id}") as task:
            verify(repository, manifest, task, wal=False)
        gap = ""
        if extract is None:
            counts = _fill_servers(settings, repository, manifest, board)
        else:
            counts, gap = _extract(repository, manifest, extract, board)
    if json:
        print_json({"backup_id": manifest.backup_id, "counts": counts, "log_gap": gap})
        return
    print_table(f"Restored from {manifest.backup_id}", ("what", "entries"), ((k, f"{n:,}") for k, n in counts.items()))
    _tell_gap(gap)
    if extract is None:
        typer.echo("next: `riskee up`; in containers `docker compose up -d`, which gives the roles their rights")
        typer.echo("then `riskee documents embed` brings the vectors in line with the documents")


def _extract(repository: Repository, manifest: Manifest, folder: Path, board: Board) -> tuple[dict[str, int], str]:
    from riskee.backup.restoring import extract

    with board.task(f"Unpacking into {folder}") as task:
        done = extract(repository, manifest, folder, task)
    return {"objects": done.objects}, done.log_gap


def _fill_servers(settings: Settings, repository: Repository, manifest: Manifest, board: Board) -> dict[str, int]:
    from riskee.backup import restoring
    from riskee.backup.creating import privileged

    # The backups' user of NATS may make streams; their role of the database only reads.
    settings = privileged(settings, ("nats",))
    with board.task("Restoring the database"):
        counts = restoring.restore_dumps(settings, repository, manifest)
    if manifest.part("nats"):
        with board.task("Restoring the streams") as task:
            counts |= restoring.restore_streams(settings, repository, manifest, task)
    if manifest.part("vectors"):
        with board.task("Restoring the vectors"):
            counts |= restoring.restore_vectors(settings, repository, manifest)
    return counts


def _print_restored(done: Restored, *, json: bool) -> None:
    if json:
        print_json(asdict(done) | {"total_seconds": done.total_seconds})
        return
    rows = ((name, f"{seconds:.1f}") for name, seconds in (*done.seconds.items(), ("in all", done.total_seconds)))
    print_table(f"Restored {done.backup_id}", ("step", "seconds"), rows)
    if done.last_transaction is not None:
        typer.echo(f"the last transaction is of {done.last_transaction:%Y-%m-%d %H:%M:%S} UTC")
    _tell_gap(done.log_gap)
    typer.echo(f"the log goes on as timeline {done.timeline}: make a backup soon (`riskee backup create`)")
    typer.echo("next: `riskee up`, then `riskee documents embed` brings the vectors in line with the documents")


def _tell_gap(gap: str) -> None:
    if gap:
        typer.echo(f"the log lacks the segment …{gap}: what was written from there on is not restored")
