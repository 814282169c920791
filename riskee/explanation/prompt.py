"""The prompt of an explanation, and the JSON schema of its answer.

The prompt has no digits and the schema allows none: the template writes the numbers. Documents stand between fences
and are data; whatever they say, the schema leaves room for nothing but one sentence on each.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from riskee.explanation import prompt_text, wording
from riskee.explanation.digitless import sentences, without_digits
from riskee.explanation.facts import Facts
from riskee.messaging.explanations import Driver, SourceDocument

VERSION = prompt_text.VERSION
SYSTEM = prompt_text.SYSTEM
MAX_TOKENS = 200
REASON = "reason"
_MAX_DOCUMENT = 300
_MIN_DOCUMENT = 20


class Draft(msgspec.Struct, frozen=True):
    """What the language model wrote: a sentence on the drivers, and one on each document, by label."""

    reason: str
    reports: dict[str, str]


def user_prompt(facts: Facts) -> str:
    """The facts in words, then the documents."""
    outlook = prompt_text.OUTLOOKS[facts.direction].format(strength=facts.strength)
    parts = [prompt_text.FORECAST.format(ticker=facts.prediction.ticker, outlook=outlook)]
    drivers = leading_drivers(facts)
    if drivers:
        names = "; ".join(driver.name for driver in drivers)
        parts.append(prompt_text.LEADING[_way(drivers)].format(drivers=names))
    parts += [prompt_text.FENCE.format(label=label, text=text) for label, text in readable(facts).items()]
    return "\n".join([*parts, prompt_text.ASK])


def answer_schema(facts: Facts) -> dict[str, Any]:
    """The JSON schema of the answer: only what there are facts for. Each label is a key, so each is used once."""
    drivers = leading_drivers(facts)
    properties = {}
    if drivers:
        properties[REASON] = {"type": "string", "pattern": _reason_pattern(drivers)}
    properties |= {label: {"type": "string", "pattern": prompt_text.REPORT} for label in readable(facts)}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def leading_drivers(facts: Facts) -> tuple[Driver, ...]:
    """The drivers that the reason is about: those that went the forecast's way, else the others."""
    up, down = facts.pushing_up, facts.pulling_down
    return (down or up) if facts.direction < 0 else (up or down)


def readable(facts: Facts) -> dict[str, str]:
    """The documents that still say something when numbers and instructions are taken out, by label."""
    texts = {label: document_text(document) for label, document in facts.labelled.items()}
    return {label: text for label, text in texts.items() if len(text) >= _MIN_DOCUMENT and wording.has_verb(text)}


def document_text(document: SourceDocument) -> str:
    """A document's title and snippet as the language model reads them; it cannot close its fence."""
    title, body = _plain(document.title).rstrip(" .:"), _plain(document.snippet)
    if wording.has_verb(title):
        return f"{title}. {body}".strip()
    # A heading without a verb is needed only where the text goes on from it.
    return f"{title}: {body}" if body.startswith(("It ", "They ")) else body


def _way(drivers: Sequence[Driver]) -> int:
    return 1 if drivers[0].contribution > 0 else -1


def _reason_pattern(drivers: Sequence[Driver]) -> str:
    """One to three of the drivers, linked, as what moved the forecast their way."""
    names = "|".join(driver.name for driver in drivers)
    first = "|".join(driver.name.capitalize() for driver in drivers)
    verbs, way = prompt_text.VERBS[_way(drivers)]
    return prompt_text.REASON.format(first=first, links=prompt_text.LINKS, names=names, verbs=verbs, way=way)


def _plain(text: str) -> str:
    """The sentences that can be reported and checked: no digits, no markup, no instruction, no advice, no negation."""
    kept: list[str] = []
    for sentence in sentences(without_digits(_visible(text))):
        unfit = wording.META.search(sentence) or wording.ADVICE.search(sentence) or wording.has_negation(sentence)
        if not unfit and sum(map(len, kept)) + len(sentence) <= _MAX_DOCUMENT:
            kept.append(sentence)
    return " ".join(kept)


def _visible(text: str) -> str:
    """Without what nobody sees (control and format characters), and with a look-alike of a letter as that letter."""
    usual = unicodedata.normalize("NFKC", text)
    return "".join(" " if letter.isspace() else letter for letter in usual if letter.isspace() or _is_seen(letter))


def _is_seen(letter: str) -> bool:
    return not unicodedata.category(letter).startswith("C")
