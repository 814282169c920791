"""Checking a language model's sentences one by one, as they come."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from riskee.embedding.embedder import Embedder, Vectors
from riskee.explanation import prompt
from riskee.explanation.facts import Facts
from riskee.explanation.verification import Refusal, refuse_drivers, refuse_report
from riskee.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True)
class Checker:
    """Checks sentences against the facts of one explanation. Calls of it take milliseconds: make them from a thread."""

    facts: Facts
    embedder: Embedder

    def refused(self, label: str, sentence: str) -> str | None:
        """Why a sentence is refused, in a word; None where it holds."""
        refusal = self._refusal(label, sentence)
        if refusal is None:
            return None
        _log.info("sentence refused", label=label, sentence=sentence, kind=refusal.kind, reason=refusal.detail)
        return refusal.kind

    def _refusal(self, label: str, sentence: str) -> Refusal | None:
        if label == prompt.REASON:
            drivers = prompt.leading_drivers(self.facts)
            return refuse_drivers(sentence, drivers, self.facts) if drivers else Refusal("driver", "none is known")
        document = self.facts.labelled.get(label)
        if document is None:
            return Refusal("source", f"there is no document {label}")
        return refuse_report(sentence, document, self.facts) or self._refuse_meaning(label, sentence)

    def _refuse_meaning(self, label: str, sentence: str) -> Refusal | None:
        nearest = self._nearest(sentence)
        return None if nearest in {label, ""} else Refusal("source", f"nearer to document {nearest} than to {label}")

    def _nearest(self, sentence: str) -> str:
        """The document that is nearest in meaning; none where there is no choice."""
        if len(self._texts) < 2:
            return ""
        similarity = self._vectors @ self.embedder.encode([sentence])[0]
        return [*self._texts][int(np.argmax(similarity))]

    @cached_property
    def _texts(self) -> dict[str, str]:
        return prompt.readable(self.facts)

    @cached_property
    def _vectors(self) -> Vectors:
        return self.embedder.encode([*self._texts.values()])
