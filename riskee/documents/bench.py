"""Measures documents from the file to the search: import, passages, vectors, all of it again, searching."""

import gzip
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from riskee.clock import Clock
from riskee.documents import made_up
from riskee.documents.document import COLLECTIONS, Document
from riskee.documents.importing import TextImporter
from riskee.documents.indexing import Index, IndexCounts
from riskee.documents.texts import COLLECTION, Kind
from riskee.embedding import Embedder
from riskee.embedding.word_pieces import WordPieces
from riskee.settings import VectorSettings
from riskee.storage.documents import count_documents, sample_documents
from riskee.storage.vectors import WHOLE_MARKET, Vectors

SEED = 1
SEARCHES = 300
_RESULTS = 8
# Documents for each transcript of about 13 passages: most documents are news.
_DOCUMENTS_A_CALL = 300
_TELL_SECONDS = 30.0
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Phase:
    """One thing measured, in passages; `cpu` is what this process took of the processors, servers not counted."""

    name: str
    documents: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Documents a second."""
        return self.documents / self.seconds if self.seconds else 0.0


@dataclass
class Measured:
    """What was measured; `milliseconds` has each call, by what was called."""

    documents: dict[str, int] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    milliseconds: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class _Watch:
    seconds: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - began
        self.cpu += time.process_time() - cpu


class _TimedPieces(WordPieces):
    """Word pieces are nearly all the work of cutting texts into passages."""

    def __init__(self, pieces: WordPieces) -> None:
        super().__init__(pieces.tokenizer)
        self.watch = _Watch()

    def counts(self, texts: list[str]) -> list[int]:
        with self.watch.running():
            return super().counts(texts)


class _TimedVectors(Vectors):
    def __init__(self, settings: VectorSettings) -> None:
        super().__init__(settings)
        self.watch = _Watch()

    def upsert(self, documents: Sequence[Document], vectors: NDArray[np.float32], model: str) -> None:
        with self.watch.running():
            super().upsert(documents, vectors, model)


class _TimedEmbedder:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name, self.dimensions = embedder.name, embedder.dimensions
        self.watch = _Watch()

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        with self.watch.running():
            return self._embedder.encode(texts)


@dataclass
class DocumentsBench:
    """Runs once, on an empty database and vector server. `folder` takes its files."""

    engine: Engine
    vectors: VectorSettings
    embedder: Embedder
    pieces: WordPieces
    folder: Path
    clock: Clock
    tell: Tell
    measured: Measured = field(default_factory=Measured)

    def run(self, count: int, texts: Mapping[Kind, Path]) -> Measured:
        """Measure about `count` documents: of `texts`, made-up ones for the rest."""
        files = self._files(count, texts)
        with closing(_TimedVectors(self.vectors)) as vectors:
            vectors.ensure_collections(self.embedder.dimensions)
            self._import("import", files)
            missing = count - self._stored()
            if missing > 0:
                more = write_lines(self.folder / "made_up_news.jsonl.gz", made_up.news(missing, SEED))
                self._import("import of made-up news", [("news", more)])
                files.append(("news", more))
            self._index(vectors)
            self._import("import again", files)
            self._note("index again", self._stored(), self._update(Index(self.engine, self.embedder, vectors)))
            self._search(vectors)
        return self.measured

    def _files(self, count: int, texts: Mapping[Kind, Path]) -> list[tuple[Kind, Path]]:
        lines: dict[Kind, Iterable[str]] = {"calls": made_up.calls(count // _DOCUMENTS_A_CALL, SEED)}
        limits: dict[Kind, int] = {"calls": count // _DOCUMENTS_A_CALL, "news": count}
        lines |= {kind: islice(_lines(path), limits[kind]) for kind, path in texts.items()}
        return [(kind, write_lines(self.folder / f"{kind}.jsonl.gz", found)) for kind, found in lines.items()]

    def _stored(self) -> int:
        with self.engine.connect() as connection:
            self.measured.documents = {
                f"{collection}: {source or 'derived'}": found
                for (collection, source), found in count_documents(connection).items()
            }
        return sum(self.measured.documents.values())

    def _note(self, name: str, documents: int, watch: _Watch) -> None:
        self.measured.phases.append(Phase(name, documents, watch.seconds, watch.cpu))
        self.tell(f"{name}: {documents:,} documents in {watch.seconds:.1f} s, {watch.cpu:.1f} s of a processor")

    def _import(self, name: str, files: Sequence[tuple[Kind, Path]]) -> None:
        for kind, path in files:
            pieces = _TimedPieces(self.pieces)
            watch = _Watch()
            with watch.running():
                done = TextImporter(self.engine, pieces, self.clock).run(path, kind, path.name.split(".")[0])
            passages = done.passages.written + done.passages.unchanged
            self.tell(f"{path.name}: {done}")
            self._note(f"{name} of {path.name}", passages, watch)
            self._note(f"{name} of {path.name}: of it word pieces", passages, pieces.watch)

    def _index(self, vectors: _TimedVectors) -> None:
        embedder = _TimedEmbedder(self.embedder)
        watch = self._update(Index(self.engine, embedder, vectors))
        stored = self._stored()
        self._note("index", stored, watch)
        self._note("index: of it embedding", stored, embedder.watch)
        self._note("index: of it upsert", stored, vectors.watch)

    def _update(self, index: Index) -> _Watch:
        watch = _Watch()
        with watch.running():
            for collection in COLLECTION.values():
                index.update(collection, _progress(collection, self.tell))
        return watch

    def _search(self, vectors: Vectors) -> None:
        """Titles as queries, of their own ticker at their own moment: what an explanation asks for."""
        with self.engine.connect() as connection:
            queries = sample_documents(connection, SEARCHES, SEED)
        for query in queries:
            with self._timed("embed a query"):
                (vector,) = self.embedder.encode([query.title])
            for name, where in (*((one, [one]) for one in COLLECTION.values()), ("all five", COLLECTIONS)):
                with self._timed(f"search {name}"):
                    vectors.search(vector, query.ticker or WHOLE_MARKET, query.known_at, _RESULTS, where)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        watch = _Watch()
        with watch.running():
            yield
        self.measured.milliseconds.setdefault(name, []).append(watch.seconds * 1000)


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Write a gzipped file of lines."""
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.writelines(f"{line.rstrip()}\n" for line in lines)
    return path


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt") as file:
        yield from file


def _progress(collection: str, tell: Tell) -> Callable[[IndexCounts], None]:
    told = time.monotonic()

    def progress(counts: IndexCounts) -> None:
        nonlocal told
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            tell(f"{collection}: {counts.embedded:,} embedded, {counts.unchanged:,} as they were")

    return progress
