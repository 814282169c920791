"""Imported texts on the real database: passages, copies, the quarantine, and all of it again and after a kill."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from riskee.clock import FixedClock
from riskee.documents import importing
from riskee.documents.importing import TextImport, TextImporter
from riskee.embedding.word_pieces import WINDOW, WordPieces
from riskee.storage.documents import replace_documents
from riskee.storage.imports import read_imports
from riskee.storage.quarantine import count_by_reason
from riskee.storage.tables import quarantine
from tests.integration.made_texts import call, news, write
from tests.integration.stored_documents import NOW, Load, derived, stored

pytestmark = pytest.mark.integration


def test_a_transcript_becomes_passages_that_the_model_reads_whole(
    engine: Engine, pieces: WordPieces, load: Load, tmp_path: Path
) -> None:
    done = load(write(tmp_path / "calls.jsonl", [call("AAPL", "2015-02-26", 90)]))
    found = stored(engine)
    assert (done.lines, done.texts, done.passages.written) == (1, 1, len(found))
    assert len(found) > 3
    assert max(pieces.counts([document.text for document in found])) + 2 <= WINDOW
    assert {d.known_at for d in found} == {datetime(2015, 2, 27, 5, tzinfo=UTC)}
    assert found[0].title == "AAPL earnings call, 26 February 2015, passage 1"
    assert "region 89" in " ".join(document.body for document in found)


def test_again_changes_nothing(engine: Engine, load: Load, tmp_path: Path) -> None:
    file = write(tmp_path / "calls.jsonl", [call("AAPL", "2015-02-26", 90), call("IBM", "2015-02-26", 70)])
    load(file)
    before = stored(engine)
    again = load(file)
    assert (again.passages.written, again.passages.removed) == (0, 0)
    assert stored(engine) == before


def test_passages_that_a_mended_transcript_no_longer_has_vanish(engine: Engine, load: Load, tmp_path: Path) -> None:
    load(write(tmp_path / "a.jsonl", [call("AAPL", "2015-02-26", 90), call("IBM", "2015-02-26", 90)]))
    whole = stored(engine)
    done = load(write(tmp_path / "a.jsonl", [call("AAPL", "2015-02-26", 40, "shrank")]))
    found = stored(engine)
    apple = [document for document in found if document.ticker == "AAPL"]
    assert done.passages.removed == len(whole) - len(found) > 0
    assert all("shrank" in document.body for document in apple)
    assert [d for d in found if d.ticker == "IBM"] == [d for d in whole if d.ticker == "IBM"]


def test_copies_are_counted_and_kept_once(engine: Engine, load: Load, tmp_path: Path) -> None:
    copy = news(1) | {"text": "ITEM 1 -- the company said so!", "created_at": "2014-03-03T18:00:00Z"}
    done = load(write(tmp_path / "news.jsonl", [news(1), copy, news(2)]), "news")
    assert (done.texts, done.copies, len(stored(engine))) == (2, 1, 2)


def test_wrong_lines_go_to_quarantine_and_the_rest_is_stored(engine: Engine, load: Load, tmp_path: Path) -> None:
    rows = [news(1), "{", news(2) | {"ticker": "?"}, "\x00\ud7ff", news(3), news(4) | {"created_at": "2031-01-01"}]
    file = write(tmp_path / "news.jsonl", rows)
    done = load(file, "news")
    assert (done.lines, done.texts, done.refused.total(), len(stored(engine))) == (6, 2, 4, 2)
    assert done.examples[:2] == [(2, "the line is not JSON"), (3, "the ticker is not one")]
    load(file, "news")
    with engine.connect() as connection:
        assert count_by_reason(connection) == {("news.jsonl", one): n for one, n in done.refused.items()}
        bodies = set(connection.scalars(select(quarantine.c.body)))
        imports = read_imports(connection)
    assert any('"line":2' in body for body in bodies)
    assert {(one.rows_read, one.rows_accepted, one.rows_quarantined) for one in imports} == {(6, 2, 4)}


def test_a_second_text_with_the_identity_of_a_first_is_refused(engine: Engine, load: Load, tmp_path: Path) -> None:
    rows = [call("AAPL", "2015-02-26", 30), call("AAPL", "2015-02-26", 30, "shrank")]
    done = load(write(tmp_path / "calls.jsonl", rows))
    assert (done.texts, done.refused.total()) == (1, 1)


def test_derived_documents_and_imported_ones_leave_each_other_alone(engine: Engine, load: Load, tmp_path: Path) -> None:
    file = write(tmp_path / "news.jsonl", [news(1)])
    load(file, "news")
    with engine.begin() as connection:
        first = replace_documents(connection, "market_news", [derived(1), derived(2)])
        second = replace_documents(connection, "market_news", [derived(2)])
    load(file, "news")
    assert (first.written, second.unchanged, second.removed) == (2, 1, 1)
    assert [document.source for document in stored(engine)] == ["test", "bars"]


def test_a_batch_of_long_texts_is_stored_before_it_is_large(
    engine: Engine, pieces: WordPieces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH_CHARACTERS", 5000)
    texts: list[int] = []
    file = write(tmp_path / "a.jsonl", [call("AAPL", f"2015-02-{day}", 40) for day in range(10, 20)])
    TextImporter(engine, pieces, FixedClock(NOW)).run(file, "calls", "test", lambda done, _: texts.append(done.texts))
    assert texts == [3, 6, 9, 10]


def test_an_import_that_was_killed_is_finished_by_the_next(
    engine: Engine, pieces: WordPieces, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two batches, as a kill would: what a batch wrote stays, and no half of one."""
    file = write(tmp_path / "a.jsonl", [news(number) for number in range(1200)])

    def stop(_done: TextImport, _share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TextImporter(engine, pieces, FixedClock(NOW)).run(file, "news", "test", stop)
    assert len(stored(engine)) == 500
    done = load(file, "news")
    assert (done.passages.written, done.passages.unchanged) == (700, 500)
