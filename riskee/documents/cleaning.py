"""Texts from outside, made fit to be stored, embedded and shown. Nothing in them is interpreted."""

import hashlib
import re
from collections.abc import Sequence

_MASKED = re.compile(r"<UNK>", re.IGNORECASE)
_NOT_A_WORD = re.compile(r"[\W_]+")
# What the makers of pre-tokenised posts left in place of a user or an address, and the mark of a repeated post.
_PLACEHOLDERS = frozenset({"rt", "AT_USER", "URL"})
_BARE_DASHES = re.compile(r"(?:\s+[-–:|])+\s*$")
_SPACE_BEFORE = re.compile(r"\s+([.,!?;:%)\]}…’]|\.\.+)")
_SPACE_AFTER = re.compile(r"([(\[{])\s+")
_CASHTAG = re.compile(r"\$ ([a-z][a-z.\-]*)")
_AMOUNT = re.compile(r"([$€£]) (?=\d)")


def clean(text: str) -> str:
    """One line of printable characters: no control, format or private ones, no half of a character.

    Names that the makers masked are written as a word.
    """
    printable = text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
    return " ".join(_MASKED.sub("[name]", printable).split())


def untokenised(tokens: Sequence[str]) -> str:
    """Pre-tokenised text as it is usually written, without placeholders: `$ aapl up 2 %` is `$AAPL up 2%`."""
    text = " ".join(token for token in tokens if token not in _PLACEHOLDERS)
    text = _CASHTAG.sub(lambda tag: f"${tag[1].upper()}", text)
    text = _AMOUNT.sub(r"\1", text)
    text = _SPACE_AFTER.sub(r"\1", _SPACE_BEFORE.sub(r"\1", text))
    return _BARE_DASHES.sub("", text)


def likeness(text: str) -> str:
    """The same for texts with the same words in the same order, whatever is between them."""
    return hashlib.sha256(_NOT_A_WORD.sub(" ", text.casefold()).strip().encode()).hexdigest()[:32]
