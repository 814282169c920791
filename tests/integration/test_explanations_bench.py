"""`riskee bench explanations`, on made-up files: it reads them, cuts them, finds and tells."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from riskee.cli.app import app
from riskee.embedding.word_pieces import WordPieces
from riskee.errors import FatalError, NotFoundError
from riskee.explanation.quality.corpus import LEAST_CALLS, read_corpus
from riskee.explanation.quality.relevance import Ground, relevance_of
from riskee.explanation.quality.shelf import Shelf
from riskee.settings.retrieval import RetrievalSettings
from tests.integration.front_server import free_port
from tests.integration.made_texts import HashEmbedder, call

pytestmark = pytest.mark.integration
NOW = datetime(2020, 1, 1, tzinfo=UTC)


def _write(folder: Path) -> None:
    calls = [
        call(ticker, f"2016-0{month}-15", 30, f"{ticker.lower()} {month} grew")
        for ticker in "ABC"
        for month in (1, 4, 7)
    ]
    calls += [call("D", "2016-01-15", 30)]
    posts = [
        {"symbol": "A", "created_at": "Wed Jan 01 03:59:03 +0000 2014", "tokens": f"a rose {n} times".split()}
        for n in range(5)
    ]
    for name, lines in (("maec_calls_made", calls), ("stocknet_tweets_made", [*posts, {"symbol": "A"}])):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def test_texts_of_companies_with_enough_calls_are_found_again(tmp_path: Path, pieces: WordPieces) -> None:
    _write(tmp_path)
    corpus = read_corpus(tmp_path, 2, pieces, NOW, seed=1)
    assert len(corpus.calls) == 2
    assert "A" in corpus.calls  # half of them have posts
    assert all(len(moments) == LEAST_CALLS for moments in corpus.calls.values())
    assert {document.ticker for document in corpus.documents} == set(corpus.calls)
    assert {document.collection for document in corpus.documents} == {"earnings_calls", "market_news"}
    embedder = HashEmbedder()
    ground = Ground(corpus, Shelf(corpus.documents, embedder), embedder, 1)
    by_date = RetrievalSettings(similarity=0, substance=0, diversity=0)
    found = relevance_of(ground, by_date, "earnings_calls")
    assert found.questions == 4
    assert found.fresh["hybrid"].ndcg.value == 1.0 > found.fresh["similarity"].ndcg.value
    assert relevance_of(ground, RetrievalSettings(), "market_news").questions > 0


def test_a_folder_without_the_files_is_an_error_that_says_so(tmp_path: Path, pieces: WordPieces) -> None:
    with pytest.raises(NotFoundError, match="maec_calls"):
        read_corpus(tmp_path, 2, pieces, NOW, seed=1)


def test_without_a_language_model_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a text is read: the template's numbers are no measurement of a model."""
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("RISKEE_LLM__URL", url)
    command = ["bench", "explanations", "--data", str(tmp_path)]
    refused = CliRunner().invoke(app, command).exception
    assert isinstance(refused, FatalError)
    assert url in refused.cause
    assert "riskee up" in refused.remedy
    # Without a model there is nothing to refuse: the search alone is asked for, and wants texts.
    with pytest.raises(NotFoundError, match="maec_calls"):
        CliRunner().invoke(app, [*command, "--count", "0"], catch_exceptions=False)
