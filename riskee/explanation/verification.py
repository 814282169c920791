"""Checks of what a language model wrote against the facts. A check answers why a sentence is refused, or None.

Refusing a true sentence costs little (the template says it too); letting a false one through costs trust. So what
cannot be checked by these rules is refused.
"""

import re
from collections.abc import Iterable, Sequence

from riskee.explanation import wording
from riskee.explanation.attribution import GROUPS
from riskee.explanation.digitless import sentences, without_digits
from riskee.explanation.facts import Facts
from riskee.messaging.explanations import Driver, SourceDocument

MIN_CHARACTERS = 20
MAX_CHARACTERS = 240
# Share of a sentence's meaningful words that its document must hold.
MIN_SUPPORT = 0.7
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w&.-]*")

_DIRECTIONS = {wording.stem(word) for word in wording.RISING | wording.FALLING}
_FORBIDDEN = (
    (wording.META, "markup or an instruction"),
    (wording.ADVICE, "advice"),
    (wording.CERTAINTY, "certainty"),
)


def refuse_drivers(sentence: str, drivers: Sequence[Driver], facts: Facts) -> str | None:
    """Why a sentence on what pushed the forecast one way (all `drivers` have that sign) is refused."""
    problem = _refuse_form(sentence) or _refuse_numbers(sentence, "") or _refuse_names(sentence, _known_names(facts))
    if problem:
        return problem
    if wording.has_negation(sentence):
        return "a negation, whose direction cannot be checked"
    mentioned = _mentioned_groups(sentence)
    if not mentioned:
        return "it names no driver"
    wrong = mentioned - {driver.name for driver in drivers}
    if wrong:
        return f"it names {', '.join(sorted(wrong))}, which did not do that"
    sign = 1 if drivers[0].contribution > 0 else -1
    return None if wording.polarity(sentence) <= {sign} else "its direction is not that of the drivers"


def refuse_report(sentence: str, document: SourceDocument, facts: Facts) -> str | None:
    """Why a sentence that cites `document` is refused."""
    text = f"{document.title}. {document.snippet}"
    text = f"{text} {without_digits(text)}"
    problem = (
        _refuse_form(sentence)
        or _refuse_numbers(sentence, text)
        or _refuse_names(sentence, wording.words(text) + _known_names(facts))
    )
    if problem:
        return problem
    if wording.FORECAST.search(sentence) and document.collection != "prediction_context":
        return "it speaks of the future, of which only the model may"
    if wording.has_negation(sentence):
        return "a negation, which cannot be checked"
    claimed, known = wording.content(sentence) - _DIRECTIONS, wording.content(text)
    supported = len(claimed & known) / len(claimed) if claimed else 0.0
    if supported < MIN_SUPPORT:
        return f"only {supported:.0%} of its words are in the document"
    return _refuse_direction(sentence, text)


def invented_numbers(text: str, allowed: Iterable[str]) -> set[str]:
    """The numbers of `text` that none of the `allowed` texts holds."""
    known = {number for source in allowed for number in _numbers(source)}
    return _numbers(text) - known


def _numbers(text: str) -> set[str]:
    return {number.replace(",", "") for number in _NUMBER.findall(text)}


def _refuse_form(sentence: str) -> str | None:
    if not MIN_CHARACTERS <= len(sentence) <= MAX_CHARACTERS:
        return f"{len(sentence)} characters"
    one = len(sentences(sentence)) == 1 and sentence[0].isupper() and sentence.endswith(".")
    if not one or not wording.has_verb(sentence):
        return "not one whole sentence"
    for pattern, what in _FORBIDDEN:
        if found := pattern.search(sentence):
            return f"{what}: {found.group()!r}"
    return None


def _refuse_numbers(sentence: str, source: str) -> str | None:
    invented = invented_numbers(sentence, [source])
    invented |= set(wording.words(sentence)) & wording.NUMBER_WORDS - set(wording.words(source))
    return f"numbers that no fact has: {', '.join(sorted(invented))}" if invented else None


def _refuse_names(sentence: str, known: Sequence[str]) -> str | None:
    stems = {wording.stem(word) for word in known}
    unknown = [
        name for name in _NAME.findall(sentence) for word in wording.words(name) if wording.stem(word) not in stems
    ]
    return f"names that no fact has: {', '.join(unknown)}" if unknown else None


def _known_names(facts: Facts) -> list[str]:
    return wording.words(facts.prediction.ticker)


def _mentioned_groups(sentence: str) -> set[str]:
    text = sentence.lower()
    return {
        group.name for group in GROUPS if group.name in text or any(_has_word(word, text) for word in group.keywords)
    }


def _has_word(word: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(word)}", text) is not None


def _refuse_direction(sentence: str, text: str) -> str | None:
    """Each part of the sentence must go the way of the document's part that shares most words with it."""
    parts = [part for part in wording.CONTRAST.split(text) if wording.polarity(part)]
    for claim in wording.CONTRAST.split(sentence):
        way = wording.polarity(claim)
        if not way:
            continue
        subject = wording.content(claim) - _DIRECTIONS
        agreeing = [_shared(subject, part) for part in parts if way <= wording.polarity(part)]
        differing = [_shared(subject, part) for part in parts if not way <= wording.polarity(part)]
        if not agreeing or max(differing, default=-1) > max(agreeing):
            return "its direction is not that of the document"
    return None


def _shared(subject: set[str], part: str) -> int:
    return len(subject & wording.content(part))
