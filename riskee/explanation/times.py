"""Of which times a part of a sentence speaks, and whether as of now.

What was so last year, in March or over two weeks was not so this year or in the session: a time that is named is part
of what is said. `In the session` and `in the quarter` name none, they are of the document's own time.
"""

import re

from riskee.explanation import wording

WHEN = frozenset({"year", "quarter", "month", "week", "day", "session", "ago", "next", "last", "later", "earlier"})
_NAMED = frozenset(
    wording.words(wording.MONTHS)
    + wording.words("today yesterday monday tuesday wednesday thursday friday saturday sunday")
)
TIMES = WHEN.union(
    _NAMED,
    wording.words("half period weekend decade hour morning afternoon evening night trading premarket after-hours"),
)
# Which of the times it was.
WHICH = frozenset(
    wording.words("first second third fourth final early late same past previous prior current recent fiscal full")
)
_QUALIFIES = WHICH | {"last", "this", "that", "next", "coming", "preceding", "following", "each", "every"}
SIDES = frozenset({"before", "after", "ago", "earlier", "later", "since"})
_AS_OF_NOW = frozenset(wording.words("is are isn't aren't remains remain keeps keep stays stay now currently"))
# From 40.3% a year ago: the time of the number that it is compared with.
_BASE = re.compile(
    rf"\b(?:from|against|versus|than)\s+[-+$€£]?(?:\d|(?:{'|'.join(wording.NUMBERS)})\b).*$", re.IGNORECASE
)

# Of which time a title says that its document is.
_PERIOD = re.compile(
    r"(?:\b(?:after|before|in|on|since) )?"
    r"(?:\b(?:the )?(?:first|second|third|fourth) (?:quarter|half) of \d{4}\b|\bQ[1-4] \d{4}\b|\b\d{4} ?Q[1-4]\b|"
    rf"\b\d{{1,2}} (?:{wording.MONTHS}) \d{{4}}\b|\b(?:{wording.MONTHS}) (?:\d{{1,2}}, )?\d{{4}}\b)"
)


def period(title: str) -> str:
    """Of which time a title says that its document is: `in the third quarter of 2009`; empty where it does not."""
    found = _PERIOD.search(title)
    return found[0] if found else ""


def is_time(word: str) -> bool:
    """Whether a word is one of time: `quarters` too."""
    return word in TIMES or word.removesuffix("s") in TIMES


def times(part: str) -> frozenset[str]:
    """The times of a part, each with the words that say which it was: `last year`, `quarter before`, `march`."""
    words = wording.words(_BASE.sub("", part))
    return frozenset(_named(words, at) for at, word in enumerate(words) if is_time(word) and word not in _QUALIFIES)


def is_named(time: str) -> bool:
    """Whether it says which time it was: the last year, the year before, March; not only the year."""
    return " " in time or time in _NAMED


def is_now(part: str) -> bool:
    """Whether a part says that it is so, not that it was."""
    return not _AS_OF_NOW.isdisjoint(wording.words(part))


def _named(words: list[str], at: int) -> str:
    start = at
    while start and words[start - 1] in _QUALIFIES:
        start -= 1
    end = at + 2 if words[at + 1 : at + 2] and words[at + 1] in SIDES else at + 1
    return " ".join(words[start:end])
