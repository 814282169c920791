"""How a sentence joins its parts. What a part is said to follow from is a claim of its own: that two things happened is
no ground for `and so`."""

import re

# The part follows from the one before it, or comes after it.
_FOLLOWS = (
    r"so(?! (?:far|long|much|many|called)\b)|(?<!since )then|hence|thus|therefore|thereby|therefrom|thereupon|"
    r"thereafter|whereupon|whereby|consequently|subsequently|accordingly|as a (?:result|consequence)(?! of)|"
    r"in (?:turn|consequence)(?! of)|for (?:this|that) reason|(?:this|that|which) (?:is|was) why|"
    r"(?:because|as a result|in consequence|on account) of (?:this|that|it|which)|"
    r"(?:due|thanks|owing) to (?:this|that|it|which)|(?:after|upon) which"
)
_CONSEQUENCE = re.compile(rf"\b(?:{_FOLLOWS})\b", re.IGNORECASE)
_COMMA = re.compile(rf"\b({_FOLLOWS})\s*,", re.IGNORECASE)
# A preposition that leads to nothing but what was said before: the market lost; after that, it lost.
_POINTS_BACK = re.compile(
    r"\b(?:after|amid|at|by|despite|following|for|from|in|of|on|over|through|to|upon|with)\s+(?:that|this|it|which|these|those|them)\s*(?:,|(?=[;.]|$))",
    re.IGNORECASE,
)
# After a colon stands the reason, or what came of it.
_COLON = re.compile(r":(?=\s+[A-Za-z])")
_SAME_TIME = re.compile(r"\b(?:when|until)\b", re.IGNORECASE)
_MARK = "thereupon"


def marked(sentence: str) -> str:
    """A sentence with a plain word of consequence where it has a colon, or points back to what it said before, and
    without the comma after such a word: the comma divides no parts."""
    sentence = _COLON.sub(f"; {_MARK}", _POINTS_BACK.sub(f"{_MARK} ", sentence))
    return _COMMA.sub(r"\1", sentence)


def follows(part: str) -> bool:
    """Whether a part of a marked sentence is said to follow from another, or to be when the other was."""
    return bool(_CONSEQUENCE.search(part)) or is_time_of_another(part)


def is_time_of_another(part: str) -> bool:
    """Whether a part says when another was: when the market lost."""
    return bool(_SAME_TIME.search(part))


def without_consequence(part: str) -> str:
    """A part without the words by which it follows from another: what it states by itself."""
    return _CONSEQUENCE.sub(" ", part).strip()
