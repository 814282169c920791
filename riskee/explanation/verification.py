"""Checks of what a language model wrote against the facts. A check answers why a sentence is refused, or None.

Refusing a true sentence costs little (the template says it too); letting a false one through costs trust. So what
cannot be checked by these rules is refused. Numbers agree in value and unit, rounded at most (`quantities`); what a
sentence says of whom must stand together in the document that it cites (`statements`, `support`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from riskee.explanation import driving, wording
from riskee.explanation.characters import strange
from riskee.explanation.digitless import sentences
from riskee.explanation.evidence import claims_of, evidence_of
from riskee.explanation.facts import Facts
from riskee.explanation.support import misfit
from riskee.messaging.explanations import Driver, SourceDocument

MIN_CHARACTERS = 12
MAX_CHARACTERS = 240
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_HINTS = {
    "number": "a number or its unit is not the document's",
    "direction": "its direction is not that of the document",
    "negation": "the document denies it, or does not",
    "future": "the document does not say that it is so",
    "verb": "the document says that something else was done, or to something else",
    "voice": "the document does not say who did it to whom",
    "consequence": "the document does not say that one came of the other",
    "subject": "the document says it of something else",
    "support": "it has words that its document does not have there, is of another time, or leaves out what limits it",
}


@dataclass(frozen=True)
class Refusal:
    """Why a sentence is refused; `kind` is for counting."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True)
class Claim:
    """A sentence with what it may be about: a document that it cites, or drivers."""

    sentence: str
    facts: Facts
    document: SourceDocument | None = None

    @property
    def source(self) -> str:
        """The text that its names must be from."""
        return f"{self.document.title}. {self.document.snippet}" if self.document else ""


Check = Callable[[Claim], str | None]


def refuse_drivers(sentence: str, drivers: Sequence[Driver], facts: Facts) -> Refusal | None:
    """Why a sentence on what moved the forecast is refused. `drivers` are those that it was asked for."""
    claim = Claim(sentence, facts)
    return _first(COMMON_CHECKS, claim) or _first_on_drivers(sentence, facts.drivers or tuple(drivers))


def refuse_report(sentence: str, document: SourceDocument, facts: Facts) -> Refusal | None:
    """Why a sentence that cites `document` is refused."""
    claim = Claim(sentence, facts, document)
    refusal = _first(COMMON_CHECKS, claim) or _first(REPORT_CHECKS, claim)
    if refusal:
        return refusal
    kind = _unsupported(claim, document)
    if kind is None:
        return None
    others = [other for other in facts.documents if other.document_id != document.document_id]
    if any(_unsupported(claim, other) is None for other in others):
        return Refusal("source", "another document says it")
    return Refusal(kind, _HINTS[kind])


def invented_numbers(text: str, allowed: Iterable[str]) -> set[str]:
    """The numbers of `text` that none of the `allowed` texts holds."""
    known = {number for source in allowed for number in _numbers(source)}
    return _numbers(text) - known


def _numbers(text: str) -> set[str]:
    return {number.replace(",", "") for number in _NUMBER.findall(text)}


def _unsupported(claim: Claim, document: SourceDocument) -> str | None:
    ticker = claim.facts.prediction.ticker
    evidence = evidence_of(document, ticker)
    parts = claims_of(claim.sentence, document, ticker)
    return next((kind for part in parts if (kind := misfit(part, evidence))), None) if parts else "support"


def _length(claim: Claim) -> str | None:
    fits = MIN_CHARACTERS <= len(claim.sentence) <= MAX_CHARACTERS
    return None if fits else f"{len(claim.sentence)} characters"


def _writing(claim: Claim) -> str | None:
    found = strange(claim.sentence)
    return f"no plain writing: {found}" if found else None


def _form(claim: Claim) -> str | None:
    text = claim.sentence
    # Some names begin small: iPhone, eBay.
    begins = text[:2] != text[:2].lower()
    one = len(sentences(text)) == 1 and begins and text.endswith(".")
    return None if one and wording.has_verb(text) else "not one whole sentence"


def _without(pattern: re.Pattern[str], what: str) -> Check:
    def check(claim: Claim) -> str | None:
        found = pattern.search(claim.sentence)
        return f"{what}: {found.group()!r}" if found else None

    return check


def _names(claim: Claim) -> str | None:
    """Words with a capital must be written so in the document; the first one at least in small letters."""
    known = wording.capitals(claim.source) | {claim.facts.prediction.ticker}
    names = wording.capitalised(claim.sentence)
    first = names[0] if names and claim.sentence.startswith(names[0]) else ""
    unknown = [name for name in names[bool(first) :] if name not in known]
    plain = set(wording.words(claim.source)) | wording.STOP_WORDS | wording.COMPANY | driving.vocabulary()
    acronym = sum(letter.isupper() for letter in first) > 1
    if first and first not in known and (acronym or first.lower().removesuffix("'s") not in plain):
        unknown.insert(0, first)
    return f"names that no fact has: {', '.join(unknown)}" if unknown else None


def _future(claim: Claim) -> str | None:
    found = wording.FORECAST.search(claim.sentence)
    past = claim.document is not None and claim.document.collection == "prediction_context"
    return f"it speaks of the future, of which only the model may: {found.group()!r}" if found and not past else None


COMMON_CHECKS: Mapping[str, Check] = {
    "characters": _writing,
    "form": lambda claim: _length(claim) or _form(claim),
    "markup": _without(wording.META, "markup or an instruction"),
    "advice": _without(wording.ADVICE, "advice"),
    "certainty": _without(wording.CERTAINTY, "certainty"),
    "person": _without(wording.FIRST_PERSON, "somebody else's voice"),
    "name": _names,
}
REPORT_CHECKS: Mapping[str, Check] = {"future": _future}
DRIVER_CHECKS: Mapping[str, Callable[[str, Sequence[Driver]], str | None]] = {
    "driver": driving.wrong_drivers,
    "number": driving.wrong_numbers,
    "support": lambda sentence, _: driving.wrong_words(sentence),
    "direction": driving.wrong_direction,
    "order": driving.wrong_order,
}


def _first(checks: Mapping[str, Check], claim: Claim) -> Refusal | None:
    return next((Refusal(kind, detail) for kind, check in checks.items() if (detail := check(claim))), None)


def _first_on_drivers(sentence: str, drivers: Sequence[Driver]) -> Refusal | None:
    found = ((kind, check(sentence, drivers)) for kind, check in DRIVER_CHECKS.items())
    return next((Refusal(kind, detail) for kind, detail in found if detail), None)
