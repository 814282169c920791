"""The characters that a sentence may consist of: what looks like something else is refused, not repaired.

Unicode has look-alikes of letters (UTS #39), digits of many scripts, invisible and direction-changing characters. A
reader cannot tell them apart and word lists do not see them, so only ASCII passes, and those few letters with accents
and marks that English texts have.
"""

import re
import unicodedata

_MARKS = frozenset("’‘“”–—€£")
_MIXED = re.compile(r"\b(?=\w*[A-Za-z])(?=\w*\d)(?!Q[1-4]\b|[1-4]Q\d*\b|FY\d+\b|H[12]\b|\d+(?:st|nd|rd|th|s)\b)\w+")
_LONG = re.compile(r"\S{31,}")


def strange(text: str) -> str | None:
    """The first thing in a text that is no plain writing, as its name or code; None where there is none."""
    for character in text:
        if not (" " <= character <= "~" or character in _MARKS or _accented(character)):
            return unicodedata.name(character, f"U+{ord(character):04X}")
    found = _MIXED.search(text) or _LONG.search(text)
    return f"{found.group()[:31]!r}" if found else None


def _accented(character: str) -> bool:
    """A Latin letter with an accent, as one character."""
    base = unicodedata.normalize("NFD", character)
    return len(base) > 1 and base[0].isascii() and base[0].isalpha()
