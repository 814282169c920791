"""Whom the words of a document mean: `the company` and `shares` are the ticker's only where nobody else was spoken of
before them.

A document that is about a ticker also speaks of others: in `Nokia cut jobs. Shares fell 20%.` the shares are Nokia's.
"""

import re
from dataclasses import dataclass

from riskee.explanation import driving, wording
from riskee.messaging.explanations import SourceDocument

_NEVER = frozenset[str]()
_SENTENCE_START = re.compile(r"(?:^|[.!?:;]\s+|[\"'(]\s*)([A-Z][a-z]+)\b(?!')")
_DATES = frozenset(
    wording.words(wording.MONTHS)
    + wording.words(
        "monday tuesday wednesday thursday friday saturday sunday jan feb mar apr jun jul aug sep oct nov dec"
    )
)
# What any company has: a sentence may begin with it, and whose it is may have been said before.
_HAD = frozenset(
    wording.words(
        "revenue revenues sales profit profits earnings income margin margins costs cost cash debt orders shipments "
        "volume price prices inventory inventories backlog bookings traffic demand production expenses spending "
        "guidance dividend results overtime retention"
    )
)
ANYBODYS = frozenset(map(wording.stem, _HAD))
# Nor are these anybody's name.
_NOBODY = frozenset(
    wording.words(
        "gross operating net total services service hardware software units unit short labor freight scrap average "
        "free food energy producer consumer retail unemployment inflation store channel tablet phone capital analysts"
    )
)
# In place of a sentence that is left out: whom it was about is not known.
_LEFT_OUT = frozenset({"another"})


@dataclass(frozen=True)
class Cast:
    """Whom a text speaks of, as stems: `itself` names what it is about, `others` are the other names in it.
    `told_by_itself` where we are the company; `begins_with_other` where the title has spoken of another last."""

    itself: frozenset[str] = _NEVER
    others: frozenset[str] = _NEVER
    told_by_itself: bool = False
    begins_with_other: bool = False


def cast_of(document: SourceDocument, ticker: str) -> Cast:
    """The cast of a document that was found for a ticker."""
    text = f"{document.title}. {document.snippet}"
    about = ticker in wording.capitals(text)
    itself = frozenset({wording.stem(ticker.lower())}) if about else _NEVER
    others = (_names(text) | _LEFT_OUT) - itself
    in_title = [stem for word in wording.words(document.title) if (stem := wording.stem(word)) in others | itself]
    return Cast(
        itself=itself,
        others=others,
        told_by_itself=document.collection == "earnings_calls",
        begins_with_other=bool(in_title) and in_title[-1] in others,
    )


def _names(text: str) -> frozenset[str]:
    """The stems of the words that are written with a capital, but for what only begins a sentence."""
    plain = {word.lower() for word in re.findall(r"\b[a-z][\w'-]*", text)}
    plain |= _DATES | _HAD | _NOBODY | wording.STOP_WORDS | wording.COMPANY | wording.NEGATION | wording.PREPOSITIONS
    plain |= wording.RISING | wording.FALLING | driving.vocabulary() | wording.NUMBERS.keys()
    starts = {word.lower() for word in _SENTENCE_START.findall(text)}
    found = {word.lower().removesuffix("'s") for word in wording.capitals(text)}
    return frozenset(wording.stem(word) for word in found if word not in _DATES and word not in plain & starts)
