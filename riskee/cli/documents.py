"""`riskee documents import`, `embed`, `show` and `remove`."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.console import Json, console, print_json, print_table
from riskee.cli.runtime import open_engine, read_settings, with_database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Engine

    from riskee.cli.board import Board
    from riskee.documents.document import Collection
    from riskee.documents.importing import TextImport
    from riskee.documents.indexing import Index, IndexCounts
    from riskee.settings import Settings

app = typer.Typer(help="Import, embed and show what explanations cite.", no_args_is_help=True)


class TextKind(StrEnum):
    """What a file of texts holds."""

    CALLS = "calls"
    NEWS = "news"


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines, plain or .gz.", show_default=False)],
    kind: Annotated[
        TextKind, typer.Option("--as", metavar="KIND", help="calls (transcripts of earnings calls) or news.")
    ],
    source: Annotated[
        str | None,
        typer.Option(help="Where the texts are from; the same text again replaces.", show_default="file's name"),
    ] = None,
    make_vectors: Annotated[
        bool, typer.Option("--embed/--no-embed", help="Then make their vectors, so that explanations find them.")
    ] = True,
    json: Json = False,
) -> None:
    """Import texts of your own, one a line: symbol or ticker, date or created_at, text or tokens, title and url."""
    from riskee.cli.board import make_board
    from riskee.documents.texts import COLLECTION

    settings = read_settings()
    with make_board(error=json) as board, open_engine(settings, pool_size=2) as engine:
        done = _import(settings, engine, path, kind, source or path.name.split(".")[0], board)
        indexed = _embed(settings, engine, [COLLECTION[kind.value]], board) if make_vectors else {}
    if json:
        print_json(asdict(done) | {"refused": dict(done.refused), "indexed": indexed})
    else:
        _print_import(done, indexed)


@app.command()
def embed(json: Json = False) -> None:
    """Bring the vectors in line with the documents: embed what is new or changed, remove what is gone."""
    from riskee.cli.board import make_board
    from riskee.documents.document import COLLECTIONS

    settings = read_settings()
    with make_board(error=json) as board, open_engine(settings, pool_size=2) as engine:
        indexed = _embed(settings, engine, COLLECTIONS, board)
    if json:
        print_json(indexed)
    else:
        _print_index(indexed)


@app.command()
def show(json: Json = False) -> None:
    """Show how many documents each collection has, by source, and how many of them have a vector."""
    from riskee.documents.document import COLLECTIONS
    from riskee.storage.documents import count_documents
    from riskee.storage.vectors import Vectors

    settings = read_settings()
    counts = with_database(settings, count_documents)
    with closing(Vectors(settings.vectors)) as vectors:
        points = {one: vectors.count(one) if vectors.exists(one) else 0 for one in COLLECTIONS}
    if json:
        rows = [{"collection": one, "source": source, "documents": n} for (one, source), n in counts.items()]
        print_json({"documents": rows, "vectors": points})
        return
    lines = sorted((one, source or "derived from stored data", f"{n:,}") for (one, source), n in counts.items())
    print_table("Documents", ("collection", "source", "documents"), lines)
    print_table("Vectors", ("collection", "points"), ((name, f"{count:,}") for name, count in points.items()))


@app.command()
def remove(
    source: Annotated[str, typer.Option(help="Where they are from, as `show` names it.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove all documents that were imported from a source, and their vectors."""
    from riskee.documents.removal import remove_source
    from riskee.storage.documents import count_documents
    from riskee.storage.vectors import Vectors

    settings = read_settings()
    counts = with_database(settings, count_documents)
    found = sum(count for (_, name), count in counts.items() if name == source)
    if found and not yes:
        typer.confirm(f"Remove {found:,} documents of {source}, and their vectors?", abort=True, err=True)
    with open_engine(settings, pool_size=2) as engine, closing(Vectors(settings.vectors)) as vectors:
        removed = remove_source(engine, vectors, source)
    if json:
        print_json(removed)
        return
    for collection, count in removed.items():
        typer.echo(f"{collection}: {count:,} documents removed")


def _import(settings: Settings, engine: Engine, path: Path, kind: TextKind, source: str, board: Board) -> TextImport:
    from riskee.clock import SystemClock
    from riskee.documents.importing import TextImporter
    from riskee.embedding.word_pieces import WordPieces

    with board.task(f"Importing {path.name}") as task:
        importer = TextImporter(engine, WordPieces.fetched(settings.home), SystemClock())
        return importer.run(path, kind.value, source, lambda done, share: task.advance(share, 1, _so_far(done)))


def _so_far(done: TextImport) -> str:
    return f"{done.lines:,} lines, {done.passages.written + done.passages.unchanged:,} passages"


def _embed(
    settings: Settings, engine: Engine, collections: Sequence[Collection], board: Board
) -> dict[Collection, IndexCounts]:
    from riskee.documents.indexing import Index
    from riskee.embedding import make_embedder
    from riskee.storage.documents import count_documents
    from riskee.storage.vectors import Vectors

    totals: Counter[str] = Counter()
    for (collection, _), count in with_database(settings, count_documents).items():
        totals[collection] += count
    with closing(Vectors(settings.vectors)) as vectors:
        index = Index(engine, make_embedder(settings.embedding, settings.home), vectors)
        return {one: _update(index, one, totals[one], board) for one in collections}


def _update(index: Index, collection: Collection, total: int, board: Board) -> IndexCounts:
    with board.task(f"Embedding {collection}") as task:
        return index.update(collection, lambda done: task.advance(done.embedded + done.unchanged, total))


def _print_import(done: TextImport, indexed: Mapping[Collection, IndexCounts]) -> None:
    stored = done.passages
    typer.echo(f"{done.source}: {done.lines:,} lines read, {done.texts:,} texts, {done.copies:,} copies left out")
    typer.echo(
        f"  {stored.written:,} passages new or changed, {stored.unchanged:,} known already, "
        f"{stored.removed:,} obsolete ones removed"
    )
    if done.refused:
        console().print(f"  [yellow]{done.refused.total():,} lines in quarantine[/] (table `quarantine`):")
        for reason, count in done.refused.most_common():
            typer.echo(f"    {count:>8,}  {reason}")
        first = "; ".join(f"line {number}: {reason}" for number, reason in done.examples)
        typer.echo(f"    first: {first}")
    _print_index(indexed)


def _print_index(indexed: Mapping[Collection, IndexCounts]) -> None:
    for collection, counts in indexed.items():
        typer.echo(
            f"  {collection}: {counts.embedded:,} embedded, {counts.unchanged:,} as they were, "
            f"{counts.removed:,} vectors without a document removed"
        )
