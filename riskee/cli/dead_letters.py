"""`riskee data dead-letters`: messages that could not be processed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.console import Json, print_json, print_table
from riskee.cli.runtime import read_settings

if TYPE_CHECKING:
    from riskee.messaging.envelope import Envelope
    from riskee.messaging.messages import DeadLetter

_PATIENCE_SECONDS = 3.0
Clear = Annotated[bool, typer.Option(help="Empty the stream; the table `quarantine` keeps what was in it.")]
Limit = Annotated[int, typer.Option(min=1, help="How many.")]


def dead_letters(limit: Limit = 20, clear: Clear = False, json: Json = False) -> None:
    """Show the newest messages that could not be processed, and why."""
    letters, cleared = asyncio.run(_work(limit, clear=clear))
    rows = [
        (
            each.payload.failed_at.isoformat(" ", "seconds"),
            each.payload.subject,
            each.payload.source,
            each.payload.reason,
        )
        for each in letters
    ]
    if json:
        names = ("failed_at", "subject", "source", "reason")
        print_json({"letters": [dict(zip(names, row, strict=True)) for row in rows], "cleared": cleared})
        return
    if rows:
        print_table("", ("at", "subject", "by", "reason"), rows)
    typer.echo(f"{cleared} were removed" if clear else "" if rows else "there are no dead letters")


async def _work(limit: int, *, clear: bool) -> tuple[list[Envelope[DeadLetter]], int]:
    from riskee.storage.bus import Bus
    from riskee.storage.dead_letters import clear_dead_letters, newest_dead_letters

    bus = await Bus.connect(read_settings().nats, "cli", timeout=_PATIENCE_SECONDS)
    try:
        await bus.ensure_streams()
        letters = await newest_dead_letters(bus, limit)
        return letters, await clear_dead_letters(bus) if clear else 0
    finally:
        await bus.close()
