"""`riskee documents` on the real servers."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from riskee.cli import documents as commands
from riskee.documents.indexing import Index
from riskee.documents.removal import remove_source
from riskee.errors import NotFoundError, RetryableError
from riskee.settings import Settings, VectorSettings
from riskee.storage.documents import replace_documents
from riskee.storage.vectors import Vectors
from tests.conftest import REPOSITORY
from tests.integration.front_server import free_port
from tests.integration.made_texts import HashEmbedder, call, news, write
from tests.integration.stored_documents import Load, derived, in_step, stored

pytestmark = pytest.mark.integration


@pytest.fixture
def run(database_settings: Settings, vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> Any:
    own = database_settings.model_copy(
        update={
            "home": REPOSITORY / ".riskee",  # the model
            "vectors": database_settings.vectors.model_copy(update={"url": vectors._url}),
        }
    )
    monkeypatch.setattr(commands, "read_settings", lambda: own)

    def call_command(*arguments: str, code: int = 0, **options: Any) -> Any:
        result = CliRunner().invoke(commands.app, arguments, catch_exceptions=False, **options)
        assert result.exit_code == code, result.output
        return result

    return call_command


def test_import_embeds_and_show_counts(run: Any, vectors: Vectors, tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", [news(1), news(2), "{"])
    said = run("import", str(file), "--as", "news").output
    assert "mine: 3 lines read, 2 texts, 0 copies left out" in said
    assert "line 3: the line is not JSON" in said
    assert vectors.count("market_news") == 2
    shown = json.loads(run("show", "--json").stdout)
    assert shown["documents"] == [{"collection": "market_news", "source": "mine", "documents": 2}]
    assert shown["vectors"]["market_news"] == 2
    assert json.loads(run("embed", "--json").stdout)["market_news"]["unchanged"] == 2


def test_without_vectors_and_under_a_name(run: Any, vectors: Vectors, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [news(1)])
    done = json.loads(run("import", str(file), "--as", "news", "--source", "b", "--no-embed", "--json").stdout)
    assert (done["source"], done["texts"], done["indexed"]) == ("b", 1, {})
    assert not vectors.exists("market_news")


def test_a_source_is_removed_with_its_vectors_and_nothing_else(
    run: Any, engine: Engine, load: Load, vectors: Vectors, tmp_path: Path
) -> None:
    load(write(tmp_path / "a.jsonl", [news(1), news(2)]), "news", "mine")
    load(write(tmp_path / "b.jsonl", [call("IBM", "2015-02-26", 20)]), "calls", "mine")
    load(write(tmp_path / "c.jsonl", [news(3)]), "news", "bars")
    with engine.begin() as connection:
        replace_documents(connection, "market_news", [derived(1)])  # its source is `bars` too
    Index(engine, HashEmbedder(), vectors).update("market_news")  # the call has no vector, not even a collection

    assert json.loads(run("remove", "--source", "mine", "--yes", "--json").stdout) == {
        "market_news": 2,
        "earnings_calls": 1,
    }
    assert [document.source for document in stored(engine)] == ["bars", "bars"]
    assert in_step(engine, vectors)
    assert "market_news: 1 documents removed" in run("remove", "--source", "bars", "--yes").output
    assert stored(engine) == [derived(1)]
    assert in_step(engine, vectors)


def test_a_removal_asks_first(run: Any, engine: Engine, load: Load, tmp_path: Path) -> None:
    load(write(tmp_path / "a.jsonl", [news(1), news(2)]), "news", "mine")
    assert "Remove 2 documents of mine" in run("remove", "--source", "mine", code=1, input="n\n").output
    assert len(stored(engine)) == 2
    run("remove", "--source", "mine", input="y\n")
    assert stored(engine) == []


def test_a_source_that_is_not_there_is_named(run: Any) -> None:
    with pytest.raises(NotFoundError, match="no document was imported as 'mine'"):
        run("remove", "--source", "mine")


def test_rows_stay_where_their_vectors_cannot_be_removed(engine: Engine, load: Load, tmp_path: Path) -> None:
    load(write(tmp_path / "a.jsonl", [news(1)]), "news", "mine")
    with closing(Vectors(VectorSettings(url=f"http://127.0.0.1:{free_port()}"))) as away, pytest.raises(RetryableError):
        remove_source(engine, away, "mine")
    assert len(stored(engine)) == 1
