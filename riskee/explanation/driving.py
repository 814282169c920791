"""What a sentence says of the drivers, in the few words that there are for it.

The vocabulary is closed: what pushed the forecast, which way, how far and in which order. Any other word would be a
claim for which there is no fact.
"""

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from riskee.explanation import wording
from riskee.explanation.attribution import GROUPS
from riskee.explanation.quantities import Quantity, split_quantities
from riskee.messaging.explanations import Driver

_CLAUSES = re.compile(r"[;,]?\s+(?:while|but|whereas)\s+|;\s*", re.IGNORECASE)
_OBJECT = re.compile(r"\b(?:forecast|prediction)\b", re.IGNORECASE)
_PASSIVE = re.compile(r"\b(?:is|was|were|been)\s+(?:\w+\s+)?(?:\w+ed)\b.*\bby\b", re.IGNORECASE)
_ORDERED = re.compile(r"\b(?:more than|ahead of|followed by|then)\b|smaller part|lesser extent", re.IGNORECASE)
_FIRST = re.compile(r"\b(?:strongest|largest|biggest|most|mostly|main|mainly|chiefly|first)\b", re.IGNORECASE)
_LESSER = re.compile(r"\bto a (?:smaller part|lesser extent)\b,?\s*", re.IGNORECASE)
_TO_COME = re.compile(r"\bto (?:be )?(?:push|lift|rais|pull|drag|lower|mov)\w*", re.IGNORECASE)
_VERB = re.compile(r"\b(?:push|lift|rais|pull|drag|lower|mov)\w*", re.IGNORECASE)
# A verb in a driver's name moves nothing: the recent move.
_NAME = re.compile(
    "|".join(re.escape(word) for group in GROUPS for word in (group.name, *group.keywords)), re.IGNORECASE
)


def vocabulary() -> frozenset[str]:
    """The words that a sentence on drivers may have."""
    names = (word for group in GROUPS for text in (group.name, *group.keywords) for word in wording.words(text))
    return wording.DRIVING | frozenset(names)


def mentions(text: str) -> list[str]:
    """The names of the groups that a text speaks of, in its order."""
    lower = text.lower()
    found: dict[str, int] = {}
    for group in GROUPS:
        places = [place for word in (group.name, *group.keywords) if (place := _place(word, lower)) is not None]
        if places:
            found[group.name] = min(places)
    return sorted(found, key=lambda name: found[name])


def wrong_words(sentence: str) -> str | None:
    """Words for which there is no fact."""
    _, plain = split_quantities(sentence)
    unknown = [word for word in wording.words(plain) if word.removesuffix("'s") not in vocabulary()]
    if unknown:
        return f"words that no driver has: {', '.join(unknown)}"
    to_come = _TO_COME.search(sentence)
    return f"it does not say that it was so: {to_come.group()!r}" if to_come else None


def wrong_drivers(sentence: str, drivers: Sequence[Driver]) -> str | None:
    """Groups that are none of the drivers, or none at all."""
    named = mentions(sentence)
    unknown = [name for name in named if name not in {driver.name for driver in drivers}]
    if unknown:
        return f"it names {', '.join(unknown)}, which did not do that"
    return None if named else "it names no driver"


def wrong_direction(sentence: str, drivers: Sequence[Driver]) -> str | None:
    """Each clause has one direction, and what it names went that way; the forecast is what was moved."""
    contributions = {driver.name: driver.contribution for driver in drivers}
    for clause in _CLAUSES.split(sentence):
        named, ways = mentions(clause), {1 if way > 0 else -1 for way in wording.ways(clause)}
        if not named or len(ways) != 1 or not _moves_the_forecast(clause, named, sentence):
            return "it does not say of drivers which way they moved the forecast"
        (way,) = ways
        wrong = [name for name in named if name in contributions and contributions[name] * way <= 0]
        if wrong:
            return f"{', '.join(wrong)} did not move the forecast {'up' if way > 0 else 'down'}"
    return None


def wrong_order(sentence: str, drivers: Sequence[Driver]) -> str | None:
    """What is named first where the sentence says so is the stronger."""
    sizes = {driver.name: driver.contribution for driver in drivers}
    named = [name for name in mentions(sentence) if name in sizes]
    if any(not _follows(sentence, lesser) for lesser in _LESSER.finditer(sentence)):
        return "it does not say what had the smaller part, and beside what"
    if _ORDERED.search(sentence) and any(abs(sizes[one]) < abs(sizes[other]) for one, other in pairwise(named)):
        return "its order is not that of the drivers"
    if named and _FIRST.search(sentence):
        beside = [abs(size) for size in sizes.values() if size * sizes[named[0]] > 0]
        if abs(sizes[named[0]]) < max(beside, default=0.0):
            return f"{named[0]} is not the strongest"
    return None


def wrong_numbers(sentence: str, drivers: Sequence[Driver]) -> str | None:
    """A number is the percentage by which the one driver that its clause names moved the forecast."""
    sizes = {driver.name: 100 * abs(math.expm1(driver.contribution)) for driver in drivers}
    for clause in _CLAUSES.split(sentence):
        quantities, _ = split_quantities(clause)
        named = mentions(clause)
        for quantity in quantities:
            one = len(named) == 1 and named[0] in sizes
            if not one or not quantity.says(Quantity(sizes[named[0]], "%")):
                return f"a number that no driver has: {quantity.value:g} {quantity.unit}".rstrip()
    return None


def _follows(sentence: str, lesser: re.Match[str]) -> bool:
    """Whether a driver stands before `to a smaller part`, and another directly after it."""
    before, after = mentions(sentence[: lesser.start()]), sentence[lesser.end() :]
    named = mentions(after)
    return bool(before and named) and _first_place(named[0], after) <= len("the ")


def _moves_the_forecast(clause: str, named: Sequence[str], sentence: str) -> bool:
    """Whether the drivers are what moves and the forecast is moved, in the active or the passive voice."""
    acts = _NAME.sub(lambda name: "-" * len(name[0]), clause)
    moved, verb = _OBJECT.search(clause), _VERB.search(acts)
    if len(_VERB.findall(acts)) > 1:
        return False  # a driver that moved itself, or a second move
    if moved is None and _OBJECT.search(sentence):
        moved = re.search(r"\bit\b", clause)  # pushed it down: the forecast of the clause before
    if moved is None or verb is None:
        return False
    first = min(place for place in (_first_place(name, clause) for name in named) if place is not None)
    if _PASSIVE.search(clause):
        if wording.ways(clause[first:]):
            return False  # of the driver: by the higher volatility
        return moved.start() < verb.start() < first
    return first < verb.start() < moved.start() and not wording.ways(clause[: verb.start()])


def _first_place(name: str, clause: str) -> int:
    group = next(group for group in GROUPS if group.name == name)
    lower = clause.lower()
    return min(place for word in (group.name, *group.keywords) if (place := _place(word, lower)) is not None)


def _place(word: str, text: str) -> int | None:
    found = re.search(rf"\b{re.escape(word)}", text)
    return found.start() if found else None
