"""The vectors of documents on the real servers: what is new, changed or gone, all of it again and after a kill."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from riskee.documents.indexing import Index
from riskee.storage.documents import replace_documents
from riskee.storage.tables import documents
from riskee.storage.vectors import Vectors
from tests.conftest import REPOSITORY
from tests.integration.made_texts import HashEmbedder, news, write
from tests.integration.stored_documents import Load, derived, in_step

pytestmark = pytest.mark.integration


def test_embeds_what_is_new_or_changed_and_removes_the_rest(
    engine: Engine, vectors: Vectors, load: Load, tmp_path: Path
) -> None:
    load(write(tmp_path / "a.jsonl", [news(number) for number in range(600)]), "news")
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


def test_another_model_embeds_everything_again(engine: Engine, vectors: Vectors, load: Load, tmp_path: Path) -> None:
    load(write(tmp_path / "a.jsonl", [news(number) for number in range(5)]), "news")
    Index(engine, HashEmbedder(), vectors).update("market_news")
    assert Index(engine, HashEmbedder("other"), vectors).update("market_news").embedded == 5


def test_a_lost_collection_is_made_again(engine: Engine, vectors: Vectors, load: Load, tmp_path: Path) -> None:
    load(write(tmp_path / "a.jsonl", [news(number) for number in range(5)]), "news")
    index = Index(engine, HashEmbedder(), vectors)
    index.update("market_news")
    vectors._client.delete_collection("market_news")
    assert index.update("market_news").embedded == 5
    assert in_step(engine, vectors)


def test_killed_in_the_middle_the_next_run_does_the_rest(
    engine: Engine, vectors: Vectors, load: Load, tmp_path: Path, database_url: str
) -> None:
    load(write(tmp_path / "a.jsonl", [news(number) for number in range(1500)]), "news")
    with subprocess.Popen(
        [sys.executable, "-c", _VICTIM, database_url, vectors._url],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    ) as victim:
        assert victim.stdout
        assert victim.stdout.readline() == b"256\n"
        victim.kill()
    assert vectors.count("market_news") == 256
    done = Index(engine, HashEmbedder(), vectors).update("market_news")
    assert (done.embedded, done.unchanged) == (1244, 256)
    assert in_step(engine, vectors)


# Waits for its end after the first batch.
_VICTIM = """
import sys
from pydantic import SecretStr
from riskee.documents.indexing import Index
from riskee.settings import VectorSettings
from riskee.storage.database import make_engine
from riskee.storage.vectors import Vectors
from tests.integration.made_texts import HashEmbedder


def stop(counts):
    print(counts.embedded, flush=True)
    sys.stdin.read()

engine, vectors = make_engine(SecretStr(sys.argv[1]), 2), Vectors(VectorSettings(url=sys.argv[2]))
Index(engine, HashEmbedder(), vectors).update("market_news", stop)
"""
