"""Texts without digits. Small models copy numbers badly, so they see none; what needs its number is left out."""

import re

from riskee.explanation.wording import MONTHS

_AMOUNT = r"[-+$€£]?\d+(?:[.,]\d+)*"
_PERCENT = rf"{_AMOUNT}\s*(?:%|percent(?:age points?)?\b|per cent\b|points?\b)"
_CHANGE = (
    "gained|lost|jumped|dropped|rose|fell|climbed|slipped|declined|increased|decreased|grew|shrank|moved|changed|"
    "up|down|higher|lower|by"
)
_DATE = re.compile(
    rf"\s*\b(?:(?:on|in|of|since|from|to|until|for|after|before)\s+)?(?:the\s+)?"
    rf"(?:\d{{1,2}}\s+(?:{MONTHS})(?:\s+\d{{4}})?|(?:{MONTHS})\s+\d[\d, ]*\d|\d{{4}}-\d\d-\d\d|\d{{4}}\s?Q[1-4]"
    rf"|Q[1-4]\s?\d{{4}}|(?:19|20)\d\d)\b"
)
_CHANGE_BY = re.compile(rf"\b({_CHANGE})\s+(?:by\s+)?{_PERCENT}", re.IGNORECASE)
_PRICE = re.compile(rf"\s+at\s+{_AMOUNT}\b(?!\s*(?:%|times\b))")
_ASIDE = re.compile(r"\s*[(\[][^()\[\]]*\d[^()\[\]]*[)\]]")
_TIMES = re.compile(r"(\d+(?:\.\d+)?) times\b")
_SPAN = re.compile(r"\b(\d+)-(?:session|day)\b")
_COUNTED = re.compile(r"\bthe \d+ (sessions|days|weeks|months|quarters|years)\b")
_INDEX = re.compile(r"\bS&P 500\b")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence]


def without_digits(text: str) -> str:
    """The sentences of `text` that still say something once their numbers are taken out or put in words."""
    for pattern, replacement in ((_INDEX, "S&P"), (_DATE, ""), (_CHANGE_BY, r"\1"), (_PRICE, ""), (_ASIDE, "")):
        text = pattern.sub(replacement, text)
    text = _TIMES.sub(_factor, text)
    text = _SPAN.sub(_span, text)
    text = _COUNTED.sub(r"the \1", text)
    kept = [sentence for sentence in sentences(text) if not re.search(r"\d", sentence)]
    return re.sub(r"\s+", " ", " ".join(kept)).strip()


def _factor(found: re.Match[str]) -> str:
    factor = float(found[1])
    if 0.85 <= factor <= 1.15:
        return "about"
    return "above" if factor > 1 else "below"


def _span(found: re.Match[str]) -> str:
    sessions = int(found[1])
    if sessions <= 30:
        return "short-term"
    return "medium-term" if sessions <= 100 else "long-term"
