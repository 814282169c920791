"""Sentences taken apart into what they state: of whom, which way, how much.

A claim is compared with its document part by part, not word by word over the whole: each part of a document has its own
subject, direction and numbers, so that what it says of one cannot be said of another (as in FIZZ, arXiv:2404.11184,
and QASemConsistency, arXiv:2410.07473; here by grammar instead of a model, because each claim is checked while it is
written, on the processor that writes it).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from riskee.explanation import joining, wording
from riskee.explanation.digitless import sentences
from riskee.explanation.naming import Cast
from riskee.explanation.predicate import Predicate, has_verb, predicate, verbs
from riskee.explanation.quantities import Quantity, split_quantities
from riskee.explanation.subject import SELF, Subject, subject_of
from riskee.explanation.times import is_now, times

# It has the form of a verb, and only leads to the base of a comparison.
_COMPARED = re.compile(
    r"\b(?:(?:as |when )?compared (?:with|to)|relative to|in comparison (?:with|to))\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Statement:
    """One part of a sentence. `counted` are the numbers in its subject (two of five suppliers), `aside` the numbers and
    directions of what only says when or over what, wherever that stands. `hypothetical` are the words by which it is
    not said to be so. `lent` are the verbs and objects of the sentence's other parts on the same subject that have no
    direction. `follows` says that it is joined to the part `before` it as what came of that, or was at its time.
    `times` are those that it speaks of, `now` says that it is told as of now."""

    text: str
    subject: Subject | None
    words: frozenset[str]
    ways: tuple[int, ...]
    negations: int
    hypothetical: frozenset[str]
    predicate: Predicate
    quantities: tuple[Quantity, ...]
    adjunct: bool
    counted: tuple[Quantity, ...] = ()
    aside: tuple[Quantity, ...] = ()
    aside_ways: tuple[int, ...] = ()
    lent: frozenset[str] = frozenset()
    follows: bool = False
    before: "Statement | None" = None
    times: frozenset[str] = frozenset()
    now: bool = False


def statements(text: str, cast: Cast, *, claim: bool = False) -> list[Statement]:
    """The statements of a text in order; `cast` says whom its words mean.

    A part without a subject has that of the part before, in a document also of the sentence before. In a claim the
    pronoun that nothing stands before means what the document is about.
    """
    found: list[Statement] = []
    last = Subject(SELF) if claim else None
    cast = replace(cast, begins_with_other=False) if claim else cast
    for sentence in sentences(text):
        parts: list[Statement] = []
        for part in _parts(sentence):
            statement = _statement(part, cast, last, parts)
            last = statement.subject if not statement.adjunct and statement.subject else last
            parts.append(statement)
        said = frozenset(match.group().lower() for match in wording.ATTRIBUTION.finditer(sentence))
        lending = _lending([replace(part, hypothetical=part.hypothetical | said) for part in _joined(parts)])
        found += _following(lending, found[-1] if found else None)
    return found


def _parts(sentence: str) -> Iterator[str]:
    """Parts of a sentence; a first one without a verb belongs to the next, unless it only says when or where."""
    waiting = ""
    whole = wording.ASIDES.sub("", joining.marked(_COMPARED.sub("against", sentence)))
    for part in filter(None, (part.strip(" .") for part in wording.PARTS.split(whole))):
        joined = f"{waiting} and {part}" if waiting else part
        if not waiting and not has_verb(part) and not _is_adjunct(part):
            waiting = part
        else:
            waiting = ""
            yield joined
    if waiting:
        yield waiting


def _statement(part: str, cast: Cast, last: Subject | None, before: list[Statement]) -> Statement:
    follows = joining.follows(part)
    part = joining.without_consequence(part)
    quantities, plain = split_quantities(part)
    adjunct = _is_adjunct(part)
    named, rest = _divide(plain)
    acts = has_verb(part)
    subject = None if adjunct else subject_of(named, rest, cast, last) if acts else last
    inherits = not adjunct and not acts and bool(before)
    ways, does = wording.ways(plain), predicate(plain)
    return Statement(
        text=part,
        subject=subject,
        words=frozenset(wording.content(plain if adjunct or subject is last else rest)),
        ways=ways or (before[-1].ways if inherits else ()),
        negations=sum(word in wording.NEGATION for word in wording.words(plain)),
        hypothetical=frozenset(match.group().lower() for match in wording.HYPOTHETICAL.finditer(plain)),
        predicate=_inherited(does, before[-1].predicate) if inherits else does,
        quantities=tuple(quantities),
        adjunct=adjunct,
        counted=tuple(_counted(part)) if acts else (),
        follows=follows,
        times=times(part),
        now=is_now(part),
    )


def _inherited(own: Predicate, before: Predicate) -> Predicate:
    """That of a part without a verb: it goes on with the one before."""
    return replace(before, links=own.links, limits=own.limits or before.limits)


def _led_on(own: Predicate, adjunct: Predicate) -> Predicate:
    return replace(own, links=own.links | adjunct.links, limits=own.limits | adjunct.limits)


def _joined(parts: list[Statement]) -> list[Statement]:
    """The parts that state something, with what only says when, where or without what added to the nearest."""
    found: list[Statement] = []
    waiting: list[Statement] = []
    for part in parts:
        if not part.adjunct:
            found.append(_with(part, waiting))
            waiting = []
        elif found:
            found[-1] = _with(found[-1], [part])
        else:
            waiting.append(part)
    return [*found, *waiting]


def _with(part: Statement, adjuncts: list[Statement]) -> Statement:
    for adjunct in adjuncts:
        part = replace(
            part,
            words=part.words | adjunct.words,
            aside_ways=(*part.aside_ways, *adjunct.ways),
            negations=part.negations + adjunct.negations,
            hypothetical=part.hypothetical | adjunct.hypothetical,
            predicate=_led_on(part.predicate, adjunct.predicate),
            aside=(*part.aside, *adjunct.quantities),
            times=part.times | adjunct.times,
        )
    return part


def _following(parts: list[Statement], last: Statement | None) -> list[Statement]:
    """The parts, each with the one before it, be it the sentence's before; what a part on its time begins follows that
    part."""
    found: list[Statement] = []
    for part in parts:
        begun = len(found) == 1 and joining.is_time_of_another(found[0].text)
        outside = None if joining.is_time_of_another(part.text) else last
        found.append(replace(part, before=found[-1] if found else outside, follows=part.follows or begun))
    return found


def _lending(parts: list[Statement]) -> list[Statement]:
    still = [part for part in parts if not part.ways and not part.negations and not part.hypothetical]

    def lent(part: Statement) -> frozenset[str]:
        others = [other.predicate for other in still if other.subject == part.subject]
        return frozenset[str]().union(*(other.object | {other.verb} for other in others))

    return [replace(part, lent=lent(part)) for part in parts]


def _counted(part: str) -> list[Quantity]:
    """The quantities before the first verb."""
    words = wording.words(part)
    verb = words[next(verbs(words))]
    before, _, _ = re.split(rf"\b({re.escape(verb)})\b", part, maxsplit=1, flags=re.IGNORECASE)
    return split_quantities(before)[0]


def _is_adjunct(part: str) -> bool:
    first = part.partition(" ")[0].lower()
    return first in wording.PREPOSITIONS and not has_verb(part)


def _divide(plain: str) -> tuple[list[str], str]:
    """The words before the first verb, and the text from there on."""
    words = wording.words(plain)
    at = next(verbs(words), len(words))
    return words[:at], " ".join(words[at:])
