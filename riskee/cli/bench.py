"""`riskee bench`: documents here, the live path beside it."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.bench_api import api
from riskee.cli.bench_explanations import explanations
from riskee.cli.bench_live import live
from riskee.cli.bench_report import report
from riskee.cli.bench_scale import scale
from riskee.cli.bench_servers import servers
from riskee.cli.bench_stream import stream
from riskee.cli.console import Json, print_json, print_table
from riskee.cli.runtime import read_settings

if TYPE_CHECKING:
    from infra.embedded.stack import Stack
    from riskee.documents.bench import Measured
    from riskee.documents.texts import Kind
    from riskee.embedding import Embedder
    from riskee.embedding.word_pieces import WordPieces
    from riskee.settings import Settings

app = typer.Typer(help="Measure Riskee on this machine.", no_args_is_help=True)
_FILES: dict[Kind, str] = {"news": "stocknet_tweets*.jsonl.gz", "calls": "maec_calls*.jsonl.gz"}


app.command()(live)
app.command()(explanations)
app.command()(api)
app.command()(stream)
app.command()(report)
app.command()(scale)


@app.callback()
def group() -> None:
    """Measure Riskee on this machine.

    With servers and processes of its own, which end with it.
    """


@app.command()
def documents(
    count: Annotated[int, typer.Option(min=100, help="Documents to measure with.")] = 100_000,
    data: Annotated[
        Path | None, typer.Option(help="A folder with StockNet and MAEC files; without, texts are made up.")
    ] = None,
    model: Annotated[
        bool, typer.Option(help="Embed with the model; without, vectors are made up and all else is measured.")
    ] = True,
    json: Json = False,
) -> None:
    """Import, embed and search documents; in a database and a vector server of its own."""
    from riskee.documents.made_up import MadeUpEmbedder
    from riskee.embedding import make_embedder
    from riskee.embedding.word_pieces import WordPieces

    own = read_settings()
    embedder = make_embedder(own.embedding, own.home) if model else MadeUpEmbedder()
    pieces = WordPieces.fetched(own.home)
    with servers() as (stack, settings):
        measured = _measure(settings, embedder, pieces, count, data)
        memory = _memory(stack)
    if json:
        print_json(_plain(measured) | {"memory_mib": memory})
    else:
        _print(measured, memory)


def _measure(settings: Settings, embedder: Embedder, pieces: WordPieces, count: int, data: Path | None) -> Measured:
    from riskee.clock import SystemClock
    from riskee.documents.bench import DocumentsBench
    from riskee.storage.database import make_engine

    found = {kind: next(iter(sorted(data.rglob(name))), None) for kind, name in _FILES.items()} if data else {}
    engine = make_engine(settings.database.url, pool_size=2)
    folder = settings.home / "bench"
    folder.mkdir()
    try:
        return DocumentsBench(
            engine=engine,
            vectors=settings.vectors,
            embedder=embedder,
            pieces=pieces,
            folder=folder,
            clock=SystemClock(),
            tell=lambda line: typer.echo(line, err=True),
        ).run(count, {kind: path for kind, path in found.items() if path})
    finally:
        engine.dispose()


def _memory(stack: Stack) -> dict[str, int]:
    """Resident MiB: the vector server's now, this process' at its most."""
    (pid,) = (process.pid for process in stack.status() if process.name == "qdrant")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    server = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return {"vector server": server // 1024, "embedder": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def _percentiles(milliseconds: list[float]) -> tuple[float, float]:
    import numpy as np

    p50, p95 = np.percentile(milliseconds, [50, 95]).round(2).tolist()
    return p50, p95


def _plain(measured: Measured) -> dict[str, Any]:
    return {
        "documents": measured.documents,
        "phases": [
            {"name": p.name, "documents": p.documents, "seconds": p.seconds, "cpu": p.cpu, "a_second": p.rate}
            for p in measured.phases
        ],
        "search_ms": {name: _percentiles(found) for name, found in measured.milliseconds.items()},
    }


def _print(measured: Measured, memory: dict[str, int]) -> None:
    print_table("Documents", ("collection", "documents"), ((k, f"{n:,}") for k, n in measured.documents.items()))
    phases = (
        (p.name, f"{p.documents:,}", f"{p.seconds:,.1f}", f"{p.cpu:,.1f}", f"{p.rate:,.0f}") for p in measured.phases
    )
    print_table("Phases", ("phase", "documents", "s", "CPU s", "documents/s"), phases)
    searches = ((name, *_percentiles(found)) for name, found in measured.milliseconds.items())
    print_table("Searches by ticker and known_at", ("what", "p50 ms", "p95 ms"), searches)
    typer.echo(", ".join(f"{name}: {mib:,} MiB" for name, mib in memory.items()))
