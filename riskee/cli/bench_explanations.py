"""`riskee bench explanations`: what is found for explanations in real texts, and what becomes of a model's words."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from riskee.cli.console import Json, print_json
from riskee.cli.runtime import REPO_ROOT, read_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from riskee.explanation.quality.relevance import Ground
    from riskee.explanation.quality.writing import Written
    from riskee.settings import Settings
    from riskee.storage.llm import Llm

T = TypeVar("T")
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

    Retrieval is compared with plainer ways on labelled passages. A model needs an Ollama server that answers, as
    `riskee up` starts it: RISKEE_LLM__URL and --model choose another. Without one nothing is measured.
    """
    from riskee.explanation.quality.questions import TEXTS
    from riskee.explanation.quality.relevance import relevance_of
    from riskee.explanation.quality.report import report, write_section
    from serving.bench.machine import load_average

    settings, load = read_settings(), load_average()
    models = (model or [settings.llm.model]) if count else []
    for one in models:
        _require(one, settings)
    ground = _ground(settings, data, tickers)
    relevance = [relevance_of(ground, settings.explanation.retrieval, one) for one in TEXTS]
    written = _all_written(models, count, seconds, ground, settings)
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


def _all_written(
    models: Sequence[str], count: int, seconds: float, ground: Ground, settings: Settings
) -> list[Written]:
    """What each model writes on each kind of texts of which there are any."""
    from riskee.clock import SystemClock
    from riskee.explanation.quality.questions import TEXTS, questions_of
    from riskee.explanation.quality.writing import drawn, written_by

    asked = [drawn(questions_of(ground.corpus, one, SEED), count, SEED) for one in TEXTS]
    own = settings.explanation.model_copy(update={"answer_within_seconds": seconds})
    work = partial(written_by, ground=ground, settings=own, clock=SystemClock(), tell=_tell)
    return [
        _with_model(model, settings, partial(work, questions=questions))
        for model in models
        for questions in asked
        if questions
    ]


def _require(model: str, settings: Settings) -> None:
    """Before all else is read, see that the model answers. Raises FatalError."""
    from riskee.explanation.quality.writing import require_answer

    _with_model(model, settings, require_answer)


def _with_model(model: str, settings: Settings, work: Callable[[Llm], Awaitable[T]]) -> T:
    """What is done with one model of the server. How long an explanation may take is its own limit: loading takes
    longer."""
    from riskee.explanation.writer import LOADING_SECONDS
    from riskee.storage.llm import Llm

    async def ask() -> T:
        llm = Llm(settings.llm.model_copy(update={"model": model, "timeout_seconds": LOADING_SECONDS}))
        try:
            return await work(llm)
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
