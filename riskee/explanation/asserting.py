"""What a document states itself: not what it tells as somebody's word, what holds under a condition, or what it takes
back in the next sentence."""

import re
from collections.abc import Sequence

from riskee.explanation import wording
from riskee.explanation.digitless import sentences

# What is left out stands for something of its own: `it` in the next sentence is nothing before that.
GAP = "Another was so."
_CONDITION = re.compile(
    r"\b(?:if|unless|assum(?:e|es|ed|ing)|provid(?:ed|ing) that|suppos(?:e|ed|ing)|in (?:case|the event) (?:of|that)|"
    r"on condition|as long as|hypothe\w+|theoretical\w*|imagin\w*|pretend\w*|unconfirmed|speculat\w*|estimated|hoax|"
    r"satir\w*|parody|fake\w*|misprint\w*|lol|jk)\b|"
    r"^\W*(?:had|were|should)\b",
    re.IGNORECASE,
)
# Rumor has it: what stands before a colon says how the rest is meant.
_LABEL = re.compile(r"^\W*((?:[\w'’-]+\W+){0,3}?[\w'’-]+):\s+\D")
_LAST = re.compile(r",\s+(?!(?:and|but|while|yet|or|nor|so|up|down)\b)([^,;:]+?)[.!]?$", re.IGNORECASE)
# They end what somebody says, beside words in -ed and -s.
_SAYS = frozenset(
    wording.words("wrote said thought knew held found heard told put it say claim think insist write hear")
)
# This was a misprint; the report was withdrawn.
_SPOKEN_OF = (
    r"(?:this|that|it|they|these|those|which|(?:none|all|most|much) of (?:this|that|it)|(?:the|that|this) (?:\w+ )?"
    r"(?:report|story|news|article|statement|claim|figure|number|information|announcement|post|tweet|rumou?r|item|line|"
    r"headline)s?)"
)
_TAKES_BACK = re.compile(
    rf"^\W*(?:(?:but|and|however|later|yet)\b,?\s*)?{_SPOKEN_OF}\b.*\b"
    r"(?:(?:not|isn['’]t|wasn['’]t) (?:true|so|correct|right|the case|confirmed)|false\w*|untrue|wrong\w*|in(?:correct|"
    r"accurate)\w*|mis(?:print|take|lead|quot|report|stat)\w*|err(?:or|on)\w*|jok\w*|hoax|fak\w*|fiction\w*|satir\w*|"
    r"parody|withdr\w*|retract\w*|correct(?:ed|ion)|den(?:y|ied|ies)|disput\w*|rumou?r\w*|unconfirmed|speculation|"
    r"revis\w*|restat\w*|overturn\w*|revers\w*)\b",
    re.IGNORECASE,
)
# The company denied it.
_IS_TAKEN_BACK = re.compile(
    r"\b(?:call|dismiss|reject|refut|contradict|disput|debunk|retract|withdr[ae]w|correct|deni|deny)\w*\b.*?\b"
    rf"{_SPOKEN_OF}\b",
    re.IGNORECASE,
)


def asserted(text: str, itself: frozenset[str]) -> list[str]:
    """The sentences of a text, with `GAP` for each that it does not state itself; `itself` are the stems that name what
    it is about."""
    every = sentences(text)
    after = [*every[1:], ""]
    return [
        GAP if _is_anothers(one, itself) or _is_taken_back(next_one) else one
        for one, next_one in zip(every, after, strict=True)
    ]


def _is_taken_back(next_sentence: str) -> bool:
    return bool(_TAKES_BACK.search(next_sentence) or _IS_TAKEN_BACK.search(next_sentence))


def _is_anothers(sentence: str, itself: frozenset[str]) -> bool:
    label = _LABEL.search(sentence)
    labelled = label is not None and not {wording.stem(word) for word in wording.words(label[1])} <= itself
    return labelled or bool(_CONDITION.search(sentence)) or _ends_as_said(sentence)


def _ends_as_said(sentence: str) -> bool:
    """Whether it ends on who says so: `…, a blogger wrote`. Its verb has nothing after it, and is no move."""
    last = _LAST.search(sentence)
    said = wording.words(last[1]) if last else []
    if len(said) < 2 or said[0] in wording.PREPOSITIONS or not wording.MOVES_UP.isdisjoint(said[-1:]):
        return False
    verb = said[-1]
    acts = verb in _SAYS or verb.endswith(("ed", "s"))
    return acts and verb not in wording.RISING | wording.FALLING and not _is_list(said)


def _is_list(said: Sequence[str]) -> bool:
    return "and" in said or "or" in said
