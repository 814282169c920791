"""`riskee bench explanations`: what is found for explanations in real texts, and what becomes of a model's words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.console import Json, print_json
from riskee.cli.runtime import REPO_ROOT, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from riskee.explanation.quality.questions import Question
    from riskee.explanation.quality.relevance import Ground
    from riskee.explanation.quality.writing import Written
    from riskee.settings import Settings

PAGE = "docs/explanations.md"
# Of all that is drawn.
SEED = 1


def explanations(
    data: Annotated[Path, typer.Option(help="A folder with the StockNet and MAEC files.")],
    count: Annotated[int, typer.Option(min=0, help="Explanations on each kind of texts; 0 only searches.")] = 20,
    tickers: Annotated[int, typer.Option(min=2, help="Companies whose texts are taken.")] = 24,
    model: Annotated[
        list[str] | None, typer.Option(help="A model of the Ollama server in the settings; may be repeated.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=5, help="Longest time for one explanation.")] = 26.0,
    write: Annotated[bool, typer.Option(help=f"Write the section into {PAGE}, between its marks.")] = False,
    json: Json = False,
) -> None:
    """Measure what is found for explanations, and what becomes of a language model's sentences.

    Retrieval is compared with plainer ways on labelled passages. A model needs a running Ollama server, as `riskee up`
    starts it: RISKEE_LLM__URL and --model choose another.
    """
    from riskee.explanation.quality.questions import TEXTS, questions_of
    from riskee.explanation.quality.relevance import relevance_of
    from riskee.explanation.quality.report import report, write_section
    from riskee.explanation.quality.writing import drawn
    from serving.bench.machine import load_average

    settings, load = read_settings(), load_average()
    ground = _ground(settings, data, tickers)
    relevance = [relevance_of(ground, settings.explanation.retrieval, one) for one in TEXTS]
    models = (model or [settings.llm.model]) if count else []
    asked = [drawn(questions_of(ground.corpus, one, SEED), count, SEED) for one in TEXTS]
    written = [
        _written(one, settings, seconds, questions, ground) for one in models for questions in asked if questions
    ]
    options = [f"--tickers {tickers}", f"--count {count}", f"--seconds {seconds:g}"]
    command = " ".join(["riskee bench explanations --data FOLDER", *options, *(f"--model {one}" for one in models)])
    section = report(relevance, written, command, _machine(load))
    if json:
        print_json({"relevance": relevance, "written": [_plain(one) for one in written]})
    else:
        typer.echo(section)
    if write:
        write_section(REPO_ROOT / PAGE, section)


def _ground(settings: Settings, data: Path, tickers: int) -> Ground:
    """The real texts of so many companies, with all that finds them."""
    from riskee.clock import SystemClock
    from riskee.embedding import make_embedder
    from riskee.embedding.word_pieces import WordPieces
    from riskee.explanation.quality.corpus import read_corpus
    from riskee.explanation.quality.relevance import Ground
    from riskee.explanation.quality.shelf import Shelf

    pieces, embedder = WordPieces.fetched(settings.home), make_embedder(settings.embedding, settings.home)
    corpus = read_corpus(data, tickers, pieces, SystemClock().now(), SEED)
    _tell(f"{len(corpus.documents):,} documents of {len(corpus.calls)} companies")
    return Ground(corpus, Shelf(corpus.documents, embedder), embedder, SEED)


def _written(model: str, settings: Settings, seconds: float, questions: Sequence[Question], ground: Ground) -> Written:
    from riskee.clock import SystemClock
    from riskee.explanation.quality.writing import written_by
    from riskee.storage.llm import Llm

    llm = Llm(settings.llm.model_copy(update={"model": model, "timeout_seconds": seconds}))
    own = settings.explanation.model_copy(update={"answer_within_seconds": seconds})

    async def ask() -> Written:
        try:
            return await written_by(llm, ground, questions, own, SystemClock(), _tell)
        finally:
            await llm.close()

    return asyncio.run(ask())


def _machine(load: float) -> str:
    from serving.bench.machine import describe

    found = describe(load)
    return (
        f"{found.processor}, {found.cores} cores, {found.system}, Python {found.python}, commit {found.commit}, "
        f"load {found.load[0]:.1f} before and {found.load[1]:.1f} after"
    )


def _plain(written: Written) -> dict[str, object]:
    return {
        "model": written.model,
        "texts": written.texts,
        "kept": written.kept,
        "dropped": dict(written.dropped),
        "explanations": written.explanations,
    }


def _tell(line: str) -> None:
    typer.echo(line, err=True)
