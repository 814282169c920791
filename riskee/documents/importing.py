"""Importing texts that a user has: each line checked, copies left out, long ones cut into passages, all stored.

Nothing is held but a batch of lines and a fingerprint of each text.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from riskee import ids
from riskee.clock import Clock
from riskee.documents.document import Document
from riskee.documents.lines import numbered_lines, sha256_of
from riskee.documents.passages import passages
from riskee.documents.texts import COLLECTION, ImportedText, Kind, parse
from riskee.embedding.word_pieces import WINDOW, WordPieces
from riskee.errors import PoisonError
from riskee.storage.database import database_errors
from riskee.storage.documents import DocumentCounts, write_passages
from riskee.storage.imports import ImportRecord, write_import
from riskee.storage.quarantine import Rejection, add_rejections

# At the ends of a text.
_MARKS = 2
_MAX_TITLE_PIECES = 100
# What is held at once, and stored in one transaction.
_BATCH_LINES, _BATCH_CHARACTERS = 500, 4_000_000
_KEPT_OF_A_LINE = 2000
_EXAMPLES = 5


@dataclass
class TextImport:
    """What became of the lines so far: read = texts + copies + refused."""

    source: str
    lines: int = 0
    texts: int = 0
    copies: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    # Line number and reason of the first ones refused.
    examples: list[tuple[int, str]] = field(default_factory=list)
    passages: DocumentCounts = field(default_factory=DocumentCounts)

    def refuse(self, number: int, reason: str) -> None:
        """Count a refused line."""
        self.refused[reason] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append((number, reason))


Progress = Callable[[TextImport, float], None]
"""Called after each batch with what was done so far and the share of the file that is read."""


@dataclass(frozen=True)
class TextImporter:
    """Imports files of texts into one database."""

    engine: Engine
    pieces: WordPieces
    clock: Clock

    def run(self, path: Path, kind: Kind, source: str, progress: Progress = lambda _done, _share: None) -> TextImport:
        """Import JSON Lines, plain or gzipped; a line that cannot be right goes to quarantine.

        Doing it again, also after an interruption, stores what is missing and changes nothing else. Raises
        NotFoundError or PoisonError for a file that cannot be read, RetryableError when the database does not answer.
        """
        now, digest = self.clock.now(), sha256_of(path)
        record = ImportRecord(ids.import_id(digest, now), source, path.name, digest, 0, 0, 0, now)
        done = TextImport(source)
        with database_errors():
            for batch, share in _batches(path, kind, done, now):
                found = [passage for text in batch.texts for passage in documents_of(text, self.pieces)]
                done.texts += len(batch.texts)
                with self.engine.begin() as connection:
                    done.passages += write_passages(connection, found)
                    add_rejections(connection, batch.rejections)
                    write_import(connection, _counted(record, done))
                progress(done, share)
        return done


def documents_of(text: ImportedText, pieces: WordPieces) -> list[Document]:
    """The passages of a text as documents."""
    title = pieces.cut(text.title, _MAX_TITLE_PIECES)[0].strip()
    (heading,) = pieces.counts([f"{title}, passage 9999. "])
    found = passages(text.text, WINDOW - _MARKS - heading, pieces)
    return [
        Document(
            document_id=ids.passage_id(text.text_id, number),
            collection=COLLECTION[text.kind],
            ticker=text.ticker,
            title=f"{title}, passage {number}" if len(found) > 1 else title,
            body=body,
            source=text.source,
            published_at=text.published_at,
            known_at=text.known_at,
            url=text.url,
            parent_id=text.text_id,
        )
        for number, body in enumerate(found, start=1)
    ]


@dataclass
class _Batch:
    texts: list[ImportedText] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    characters: int = 0

    @property
    def full(self) -> bool:
        return len(self.texts) + len(self.rejections) >= _BATCH_LINES or self.characters >= _BATCH_CHARACTERS

    def add(self, text: ImportedText) -> None:
        self.texts.append(text)
        self.characters += len(text.text)


def _batches(path: Path, kind: Kind, done: TextImport, now: datetime) -> Iterator[tuple[_Batch, float]]:
    """The texts and the refused lines of some hundred lines each, with the share of the file that is read."""
    seen, batch = _Seen(), _Batch()
    for number, line, share in numbered_lines(path):
        done.lines += 1
        try:
            text = parse(line, kind, done.source, now)
            if seen.is_new(text):
                batch.add(text)
            else:
                done.copies += 1
        except PoisonError as error:
            batch.rejections.append(_rejection(number, line or b"", error.cause, path.name, now))
            done.refuse(number, error.cause)
        if batch.full:
            yield batch, share
            batch = _Batch()
    yield batch, 1.0


class _Seen:
    """The texts of a file so far, as digests."""

    def __init__(self) -> None:
        self._twins: set[bytes] = set()
        self._ids: set[bytes] = set()

    def is_new(self, text: ImportedText) -> bool:
        """False for a copy. Raises PoisonError where the text would overwrite another of the same file."""
        twin, identity = hashlib.sha256(text.twin.encode()).digest(), text.text_id.bytes
        if twin in self._twins:
            return False
        if identity in self._ids:
            raise PoisonError("another text of the file has its id, or its ticker, day and title")
        self._twins.add(twin)
        self._ids.add(identity)
        return True


def _rejection(number: int, line: bytes, reason: str, origin: str, now: datetime) -> Rejection:
    kept = line[:_KEPT_OF_A_LINE].decode(errors="replace").rstrip("\n")
    return Rejection(now, origin, reason, msgspec.json.encode({"line": number, "text": kept}).decode())


def _counted(record: ImportRecord, done: TextImport) -> ImportRecord:
    return replace(record, rows_read=done.lines, rows_accepted=done.texts, rows_quarantined=done.refused.total())
