"""Imported documents on the real servers: import, passages, vectors, and all of it again and after a kill."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from riskee import ids
from riskee.cli import documents as commands
from riskee.clock import FixedClock
from riskee.documents import importing
from riskee.documents.bench import SEARCHES, DocumentsBench
from riskee.documents.document import Document
from riskee.documents.importing import TextImport, TextImporter
from riskee.documents.indexing import Index
from riskee.documents.prediction_context import PastPrediction
from riskee.documents.records import published_predictions
from riskee.documents.texts import Kind
from riskee.embedding.word_pieces import WINDOW, WordPieces
from riskee.settings import Settings, VectorSettings
from riskee.storage.documents import document_stamps, replace_documents
from riskee.storage.imports import read_imports
from riskee.storage.quarantine import count_by_reason
from riskee.storage.tables import documents, quarantine, track_record
from riskee.storage.vectors import Vectors
from tests.conftest import REPOSITORY
from tests.integration.front_server import FrontServer
from tests.integration.made_texts import HashEmbedder, call, news, write

pytestmark = pytest.mark.integration
NOW = datetime(2020, 1, 1, tzinfo=UTC)
PIECES = WordPieces.fetched(REPOSITORY / ".riskee")


@pytest.fixture
def vectors(tmp_path: Path) -> Iterator[Vectors]:
    server = FrontServer("infra.embedded.qdrant_front", ["--data", str(tmp_path / "qdrant")], "/readyz")
    vectors = Vectors(VectorSettings(url=server.url))
    yield vectors
    vectors.close()
    server.end(signal.SIGTERM)


def load(engine: Engine, path: Path, kind: Kind = "calls", source: str = "test") -> TextImport:
    return TextImporter(engine, PIECES, FixedClock(NOW)).run(path, kind, source)


def stored(engine: Engine) -> list[Document]:
    fields = [documents.c[name] for name in Document.__struct_fields__]
    with engine.connect() as connection:
        rows = connection.execute(select(*fields).order_by(documents.c.title)).mappings()
        return [Document(**row) for row in rows]


def in_step(engine: Engine, vectors: Vectors) -> bool:
    """Whether there is a point for each document, and no other."""
    ids_of_points = [one for one, _ in vectors.stamps("market_news")]
    return ids_of_points == [one for one, _ in document_stamps(engine, "market_news")]


def derived(number: int) -> Document:
    return Document(
        document_id=ids.document_id("market_news", "bars", str(number)),
        collection="market_news",
        ticker="IBM",
        title=f"derived {number}",
        body="From bars.",
        source="bars",
        published_at=NOW,
        known_at=NOW,
    )


class TestImport:
    def test_a_transcript_becomes_passages_that_the_model_reads_whole(self, engine: Engine, tmp_path: Path) -> None:
        done = load(engine, write(tmp_path / "calls.jsonl", [call("AAPL", "2015-02-26", 90)]))
        found = stored(engine)
        assert (done.lines, done.texts, done.passages.written) == (1, 1, len(found))
        assert len(found) > 3
        assert max(PIECES.counts([document.text for document in found])) + 2 <= WINDOW
        assert {d.known_at for d in found} == {datetime(2015, 2, 27, 5, tzinfo=UTC)}
        assert found[0].title == "AAPL earnings call, 26 February 2015, passage 1"
        assert "region 89" in " ".join(document.body for document in found)

    def test_again_changes_nothing(self, engine: Engine, tmp_path: Path) -> None:
        file = write(tmp_path / "calls.jsonl", [call("AAPL", "2015-02-26", 90), call("IBM", "2015-02-26", 70)])
        load(engine, file)
        before = stored(engine)
        again = load(engine, file)
        assert (again.passages.written, again.passages.removed) == (0, 0)
        assert stored(engine) == before

    def test_passages_that_a_mended_transcript_no_longer_has_vanish(self, engine: Engine, tmp_path: Path) -> None:
        load(engine, write(tmp_path / "a.jsonl", [call("AAPL", "2015-02-26", 90), call("IBM", "2015-02-26", 90)]))
        whole = stored(engine)
        done = load(engine, write(tmp_path / "a.jsonl", [call("AAPL", "2015-02-26", 40, "shrank")]))
        found = stored(engine)
        apple = [document for document in found if document.ticker == "AAPL"]
        assert done.passages.removed == len(whole) - len(found) > 0
        assert all("shrank" in document.body for document in apple)
        assert [d for d in found if d.ticker == "IBM"] == [d for d in whole if d.ticker == "IBM"]

    def test_copies_are_counted_and_kept_once(self, engine: Engine, tmp_path: Path) -> None:
        copy = news(1) | {"text": "ITEM 1 -- the company said so!", "created_at": "2014-03-03T18:00:00Z"}
        done = load(engine, write(tmp_path / "news.jsonl", [news(1), copy, news(2)]), "news")
        assert (done.texts, done.copies, len(stored(engine))) == (2, 1, 2)

    def test_wrong_lines_go_to_quarantine_and_the_rest_is_stored(self, engine: Engine, tmp_path: Path) -> None:
        rows = [news(1), "{", news(2) | {"ticker": "?"}, "\x00\ud7ff", news(3), news(4) | {"created_at": "2031-01-01"}]
        file = write(tmp_path / "news.jsonl", rows)
        done = load(engine, file, "news")
        assert (done.lines, done.texts, done.refused.total(), len(stored(engine))) == (6, 2, 4, 2)
        assert done.examples[:2] == [(2, "the line is not JSON"), (3, "the ticker is not one")]
        load(engine, file, "news")
        with engine.connect() as connection:
            assert count_by_reason(connection) == {("news.jsonl", one): n for one, n in done.refused.items()}
            bodies = set(connection.scalars(select(quarantine.c.body)))
            imports = read_imports(connection)
        assert any('"line":2' in body for body in bodies)
        assert {(one.rows_read, one.rows_accepted, one.rows_quarantined) for one in imports} == {(6, 2, 4)}

    def test_a_second_text_with_the_identity_of_a_first_is_refused(self, engine: Engine, tmp_path: Path) -> None:
        rows = [call("AAPL", "2015-02-26", 30), call("AAPL", "2015-02-26", 30, "shrank")]
        done = load(engine, write(tmp_path / "calls.jsonl", rows))
        assert (done.texts, done.refused.total()) == (1, 1)

    def test_derived_documents_and_imported_ones_leave_each_other_alone(self, engine: Engine, tmp_path: Path) -> None:
        file = write(tmp_path / "news.jsonl", [news(1)])
        load(engine, file, "news")
        with engine.begin() as connection:
            first = replace_documents(connection, "market_news", [derived(1), derived(2)])
            second = replace_documents(connection, "market_news", [derived(2)])
        load(engine, file, "news")
        assert (first.written, second.unchanged, second.removed) == (2, 1, 1)
        assert [document.source for document in stored(engine)] == ["test", "bars"]


def test_of_published_predictions_the_last_of_a_session_is_told(engine: Engine) -> None:
    def row(sequence: int, hour: int, session: date) -> dict[str, object]:
        return {
            "sequence": sequence, "prediction_id": uuid.UUID(int=sequence), "ticker": "IBM", "model_type": "normal",
            "model_version": "m", "feed": "replay", "data_time": datetime(2014, 3, session.day, hour, tzinfo=UTC),
            "session_date": session, "outcome_session": session, "expected_return": sequence / 100, "p_up": 0.6,
            "interval_low": -0.1, "interval_high": 0.1, "realised_return": 0.02, "scored_at": NOW,
            "previous_sha256": "", "sha256": "",
        }  # fmt: skip

    rows = [row(1, 15, date(2014, 3, 3)), row(2, 19, date(2014, 3, 3)), row(3, 15, date(2014, 3, 4))]
    with engine.begin() as connection:
        connection.execute(track_record.insert(), rows)
        found = published_predictions(connection, date(2014, 3, 1))
        later = published_predictions(connection, date(2014, 3, 4))
    made_at = datetime(2014, 3, 3, 19, tzinfo=UTC)
    assert found[0] == PastPrediction("IBM", date(2014, 3, 3), "normal", 0.02, 0.6, 0.02, made_at)
    assert later == found[1:]


def test_a_batch_of_long_texts_is_stored_before_it_is_large(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH_CHARACTERS", 5000)
    texts: list[int] = []
    file = write(tmp_path / "a.jsonl", [call("AAPL", f"2015-02-{day}", 40) for day in range(10, 20)])
    TextImporter(engine, PIECES, FixedClock(NOW)).run(file, "calls", "test", lambda done, _: texts.append(done.texts))
    assert texts == [3, 6, 9, 10]


class TestIndex:
    def test_embeds_what_is_new_or_changed_and_removes_the_rest(
        self, engine: Engine, vectors: Vectors, tmp_path: Path
    ) -> None:
        load(engine, write(tmp_path / "a.jsonl", [news(number) for number in range(600)]), "news")
        embedder = HashEmbedder()
        index = Index(engine, embedder, vectors)
        first, again = index.update("market_news"), index.update("market_news")
        assert (first.embedded, again.embedded, again.unchanged) == (600, 0, 600)
        assert in_step(engine, vectors)

        stray = derived(9)
        vectors.upsert([stray], HashEmbedder().encode([stray.text]), embedder.name)
        with engine.begin() as connection:
            (gone,) = connection.scalars(select(documents.c.document_id).limit(1))
            connection.execute(documents.delete().where(documents.c.document_id == gone))
            replace_documents(connection, "market_news", [derived(1)])
        embedder.texts.clear()
        last = index.update("market_news")
        assert (last.embedded, last.unchanged, last.removed) == (1, 599, 2)
        assert embedder.texts == [derived(1).text]
        assert in_step(engine, vectors)

    def test_another_model_embeds_everything_again(self, engine: Engine, vectors: Vectors, tmp_path: Path) -> None:
        load(engine, write(tmp_path / "a.jsonl", [news(number) for number in range(5)]), "news")
        Index(engine, HashEmbedder(), vectors).update("market_news")
        assert Index(engine, HashEmbedder("other"), vectors).update("market_news").embedded == 5

    def test_a_lost_collection_is_made_again(self, engine: Engine, vectors: Vectors, tmp_path: Path) -> None:
        load(engine, write(tmp_path / "a.jsonl", [news(number) for number in range(5)]), "news")
        index = Index(engine, HashEmbedder(), vectors)
        index.update("market_news")
        vectors._client.delete_collection("market_news")
        assert index.update("market_news").embedded == 5
        assert in_step(engine, vectors)

    def test_killed_in_the_middle_the_next_run_does_the_rest(
        self, engine: Engine, vectors: Vectors, tmp_path: Path, database_url: str
    ) -> None:
        load(engine, write(tmp_path / "a.jsonl", [news(number) for number in range(1500)]), "news")
        victim = subprocess.Popen(
            [sys.executable, "-c", _VICTIM, database_url, vectors._url],
            cwd=REPOSITORY, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        assert victim.stdout
        assert victim.stdout.readline() == b"256\n"
        victim.kill()
        victim.wait()
        victim.stdout.close()
        before = vectors.count("market_news")
        assert 256 <= before < 1500
        done = Index(engine, HashEmbedder(), vectors).update("market_news")
        assert (done.embedded, done.unchanged) == (1500 - before, before)
        assert in_step(engine, vectors)


def test_an_import_that_was_killed_is_finished_by_the_next(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two batches, as a kill would: what a batch wrote stays, and no half of one."""
    file = write(tmp_path / "a.jsonl", [news(number) for number in range(1200)])

    def stop(_done: TextImport, _share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TextImporter(engine, PIECES, FixedClock(NOW)).run(file, "news", "test", stop)
    assert len(stored(engine)) == 500
    done = load(engine, file, "news")
    assert (done.passages.written, done.passages.unchanged) == (700, 500)


class TestCommands:
    @pytest.fixture
    def run(self, database_settings: Settings, vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> Any:
        own = database_settings.model_copy(
            update={
                "home": REPOSITORY / ".riskee",  # the model
                "vectors": database_settings.vectors.model_copy(update={"url": vectors._url}),
            }
        )
        monkeypatch.setattr(commands, "read_settings", lambda: own)

        def call_command(*arguments: str) -> Any:
            result = CliRunner().invoke(commands.app, arguments, catch_exceptions=False)
            assert result.exit_code == 0, result.output
            return result

        return call_command

    def test_import_embeds_and_show_counts(self, run: Any, vectors: Vectors, tmp_path: Path) -> None:
        file = write(tmp_path / "mine.jsonl", [news(1), news(2), "{"])
        said = run("import", str(file), "--as", "news").output
        assert "mine: 3 lines read, 2 texts, 0 copies left out" in said
        assert "line 3: the line is not JSON" in said
        assert vectors.count("market_news") == 2
        shown = json.loads(run("show", "--json").stdout)
        assert shown["documents"] == [{"collection": "market_news", "source": "mine", "documents": 2}]
        assert shown["vectors"]["market_news"] == 2
        assert json.loads(run("embed", "--json").stdout)["market_news"]["unchanged"] == 2

    def test_without_vectors_and_under_a_name(self, run: Any, vectors: Vectors, tmp_path: Path) -> None:
        file = write(tmp_path / "a.jsonl", [news(1)])
        done = json.loads(run("import", str(file), "--as", "news", "--source", "b", "--no-embed", "--json").stdout)
        assert (done["source"], done["texts"], done["indexed"]) == ("b", 1, {})
        assert not vectors.exists("market_news")


def test_the_measurement_measures_all_of_it(engine: Engine, vectors: Vectors, tmp_path: Path) -> None:
    told: list[str] = []
    measured = DocumentsBench(
        engine, VectorSettings(url=vectors._url), HashEmbedder(), PIECES, tmp_path, FixedClock(NOW), told.append
    ).run(650, {})
    assert sum(measured.documents.values()) == 650
    assert {phase.name for phase in measured.phases if phase.documents == 650} >= {"index", "index again"}
    assert {len(found) for found in measured.milliseconds.values()} == {SEARCHES}
    assert in_step(engine, vectors)


_VICTIM = """
import sys
from pydantic import SecretStr
from riskee.documents.indexing import Index
from riskee.settings import VectorSettings
from riskee.storage.database import make_engine
from riskee.storage.vectors import Vectors
from tests.integration.made_texts import HashEmbedder

index = Index(
    make_engine(SecretStr(sys.argv[1]), 2), HashEmbedder(pause=0.5), Vectors(VectorSettings(url=sys.argv[2]))
)
index.update("market_news", lambda counts: print(counts.embedded, flush=True))
"""
