"""The cases, read from their files."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskee.errors import PoisonError
from riskee.explanation.facts import Facts
from riskee.explanation.reading import AnswerReader
from riskee.messaging.explanations import SourceDocument
from tests.unit.explanation.examples import MARKET, NOW, TREND, VOLATILITY, VOLUME, prediction

_FOLDER = Path(__file__).parent
_EXPECTED = {"up": 0.0013, "down": -0.0113}
# One in four was looked at only after the checks were final.
_PARTS = 4


@dataclass(frozen=True)
class Case:
    """An answer of a language model to given facts: by label, or as it came. `absent` may be nowhere in the end."""

    id: str
    category: str
    prediction: str
    documents: tuple[str, ...]
    answer: Any
    absent: tuple[str, ...] = ()

    @property
    def held_back(self) -> bool:
        """Whether it is of the part on which the checks were not tuned."""
        return int(hashlib.sha256(self.id.encode()).hexdigest(), 16) % _PARTS == 0

    @property
    def raw(self) -> str:
        """The answer as the language model writes it."""
        return self.answer if isinstance(self.answer, str) else json.dumps(self.answer)

    @property
    def facts(self) -> Facts:
        return Facts(
            prediction(_EXPECTED[self.prediction]),
            (TREND, VOLATILITY, MARKET, VOLUME),
            tuple(DOCUMENTS[name] for name in self.documents),
        )

    def sentences(self) -> list[tuple[str, str]]:
        """Label and sentence, as far as the answer can be read."""
        reader, found = AnswerReader(), list[tuple[str, str]]()
        try:
            for start in range(0, len(self.raw), 16):
                found += reader.feed(self.raw[start : start + 16])
        except PoisonError:
            pass
        return found


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (_FOLDER / f"{name}.jsonl").read_text().splitlines()]


def _document(fields: dict[str, Any]) -> SourceDocument:
    return SourceDocument(
        document_id=uuid.uuid5(uuid.NAMESPACE_OID, fields["name"]),
        collection=fields["collection"],
        title=fields["title"],
        snippet=fields["snippet"],
        source="made",
        published_at=NOW,
        score=0.5,
        ticker=fields["ticker"],
    )


def _case(fields: dict[str, Any]) -> Case:
    return Case(
        fields["id"],
        fields["category"],
        fields["prediction"],
        tuple(fields["documents"]),
        fields["answer"],
        tuple(fields.get("absent", ())),
    )


DOCUMENTS = {fields["name"]: _document(fields) for fields in _lines("documents")}
FALSE = [_case(fields) for fields in _lines("false")]
TRUE = [_case(fields) for fields in _lines("true")]
