"""What a part of a sentence says is done: its verb, what it is done to, and what its prepositions lead to.

Words alone do not carry the sense: `moved from India to China` has the words of `moved from China to India`, and to
drop a lawsuit is not to lose it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from riskee.explanation import wording
from riskee.explanation.times import SIDES, WHEN, WHICH, is_time

_PLAIN_MOVES = wording.MOVES_UP | wording.MOVES_DOWN
_MOVES = wording.RISING | wording.FALLING
_LEADS = wording.PREPOSITIONS | {"above", "below", "despite", "than", "as"}
# Directly after the verb they go on with it: declined to comment, lost of its market share.
_COMPLETES = frozenset({"to", "of"})
# Words without which more is said.
_LIMITING = frozenset(
    wording.words(
        "organically nominally domestically internationally locally regionally seasonally partly briefly only together "
        "than sequentially year-over-year year-on-year quarter-over-quarter quarter-on-quarter month-over-month "
        "month-on-month"
    )
)
# What was so over a time was not so in a session of it.
_SPANS = frozenset({"over", "within", "since", "throughout"})
_MAY_SPAN = frozenset({"in", "for", "during", "through"})
# They lead to the base of a comparison: what rose against the quarter before may have fallen against the year before.
_COMPARE = frozenset({"against", "versus", "than", "from", "with", "to", "of"})
_NEXT_TO = frozenset({"last", "next"})
_IRREGULAR = "cut|hit|sold|bought|won|lost|made|held|kept|led|paid|built|sent|spent|put|set|found|told|left|met"
_PASSIVE = re.compile(
    rf"\b(?:is|are|was|were|been|being|be|got)\s+(?:not\s+|\w+ly\s+)?(?:\w{{2,}}(?:ed|en)|{_IRREGULAR})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Predicate:
    """`verb` as its stem; `moves` for a plain move that has no object, so that fell may stand for declined; `object`
    the stems up to the first preposition; `links` each preposition with the word that it leads to; `limits` the stems
    without which it says more: rose in China, over two weeks, or against the quarter before. When it was and by whom it
    was done limit nothing."""

    verb: str = ""
    moves: bool = False
    object: frozenset[str] = frozenset()
    links: frozenset[tuple[str, str]] = frozenset()
    limits: frozenset[str] = frozenset()
    passive: bool = False


def predicate(plain: str) -> Predicate:
    """That of a part from which the quantities are taken out."""
    words = wording.words(plain)
    at = _main(words)
    verb = words[at] if at is not None else ""
    passive = bool(_PASSIVE.search(plain))
    its_object = frozenset[str]() if at is None else _object(words[at + 1 :])
    return Predicate(
        verb=wording.stem(verb),
        moves=verb in _PLAIN_MOVES and not its_object,
        object=its_object,
        links=frozenset((lead, _led_to(led)) for lead, led in _links(words)),
        limits=frozenset(_limits(words, passive)),
        passive=passive,
    )


def has_verb(part: str) -> bool:
    """Whether a part of a sentence has a verb, be it only a move: up 5%."""
    return any(True for _ in verbs(wording.words(part)))


def verbs(words: list[str]) -> Iterator[int]:
    """Where the verbs are: `traded` is none in `the traded value`, nor `drop` in `the drop`."""
    for at, word in enumerate(words):
        form = wording.is_verb(word) or word in _MOVES or word in wording.HELPERS
        if form and not (at and words[at - 1] in wording.DETERMINERS and word not in wording.VERBS):
            yield at


def _main(words: list[str]) -> int | None:
    """The first verb, or the one that it only helps: was sued, did not rise."""
    places = list(verbs(words))
    for at, after in pairwise(places):
        between = words[at + 1 : after]
        near = all(word in wording.NEGATION or word.endswith("ly") for word in between)
        if words[at] not in wording.AUXILIARIES or not near:
            return at
    return places[-1] if places else None


def _object(words: list[str]) -> frozenset[str]:
    start = 1 if words and words[0] in _COMPLETES else 0
    end = next((at for at, word in enumerate(words) if at >= start and word in _LEADS), len(words))
    found = {word for word in words[:end] if not word.endswith("ly")}
    return frozenset(wording.content(" ".join(found)) - {wording.stem(word) for word in WHEN})


def _links(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each preposition with the words with a meaning that follow it, where one does before the next preposition."""
    for at, word in enumerate(words):
        if word in _LEADS:
            led = [each for each in words[at + 1 :] if each in _LEADS or wording.content(each)]
            if led and led[0] not in _LEADS:
                yield word, led


def _led_to(led: list[str]) -> str:
    """The stem of what a preposition leads to. Of a time also whether it is one or many, and on which side it lies: the
    mean of the sessions before is not that of the session."""
    if not is_time(led[0]):
        return wording.stem(led[0])
    at = next((at for at, word in enumerate(led) if word not in _NEXT_TO), 0)
    end = at + 2 if led[at + 1 : at + 2] and led[at + 1] in SIDES else at + 1
    return " ".join(led[:end])


def _spans(lead: str, led: list[str]) -> bool:
    """Whether a time is one over which something went on, or another one than that of the document."""
    named = next((word for word in led if word not in _NEXT_TO), led[0])
    many = named.endswith("s") and named[:-1] in WHEN
    return lead in _SPANS or led[0] == "next" or (lead in _MAY_SPAN and many)


def _limits(words: list[str], passive: bool) -> Iterator[str]:
    for lead, led in _links(words):
        named = next((word for word in led if word not in WHICH), led[0])
        if is_time(named) and lead in _COMPARE:
            yield f"{lead} {_led_to(led)}"
        elif _spans(lead, led) or not (is_time(named) or (passive and lead == "by")):
            yield wording.stem(led[0])
    yield from (wording.stem(word) for word in words if word in _LIMITING or (word.endswith("ly") and len(word) > 4))
