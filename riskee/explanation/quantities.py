"""Numbers of a text with what they count: `4.2%`, `four point two percent` and `$36.0 billion` as values with units.

The value and the unit must both be a fact's. A number that was rounded more than the fact agrees with it when it is
within half of its last place and within `ROUNDING` of the fact: `about 4%` is said of 4.2 %, `0%` of nothing but zero.
"""

import re
from dataclasses import dataclass, field
from functools import reduce

from riskee.explanation import wording

ROUNDING = 0.1
_DATE = re.compile(
    rf"\b(\d{{1,2}})\s+({wording.MONTHS})(?:\s+(\d{{4}}))?\b|\b({wording.MONTHS})\s+(\d{{1,2}}),?\s+(\d{{4}})\b"
)
_PERIOD = re.compile(r"\b(Q|H|FY)\s?(\d{1,4})\b|\b(\d)(Q)\b")
_NUMBER = re.compile(
    r"(?:\b(?P<role>to|from|at|over|under|above|below|almost|nearly|least|most|than|beyond)\s+)?"
    r"(?:(?<![\w.,-])(?P<sign>[+-]))?(?P<currency>[$€£]?)(?<![\w.])(?:(?<![+-])|(?<=(?<![\w.,-])[+-]))(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)(?![.,]?\d)"
    r"(?:\s?(?P<size>thousand|million|billion|trillion)\b)?"
    r"(?:\s?(?P<unit>%|per ?cent(?:age points?)?\b|basis points?\b|points?\b|times\b|dollars?\b|euros?\b)"
    r"|-(?P<span>[a-z]+)\b|\s(?P<noun>[A-Za-z][A-Za-z-]*))?"
)
_SHARE = re.compile(r"(?:%|per ?cent|points?)\s*$")
_OF = re.compile(r"\s+of\b", re.IGNORECASE)
_INDEX = re.compile(r"\bS&P 500\b")
_SIZES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_UNITS = {"%": "%", "time": "times", "dollar": "$", "euro": "€", "percent": "%", "per cent": "%"}
_TIMES = frozenset({"session", "day", "week", "month", "quarter", "year"})
_DATES = _TIMES | {"q", "h", "fy"} | frozenset(wording.MONTHS.lower().split("|"))
# A number word that counts nothing is none: `one of them`.
_COUNTED = r"(?:per ?cent|%|percentage|points?|dollars?|times|sessions?|days?|weeks?|months?|quarters?|years?|basis)"
_WORD = r"(?:" + "|".join(sorted(wording.NUMBERS, key=len, reverse=True)) + r")"
_SPELLED = re.compile(
    rf"(?<!\d\s)\b(?:an?\s+(?=hundred|thousand|million|billion|trillion))?({_WORD}(?:(?:[\s-]+|\s+and\s+|\s+point\s+){_WORD})*)\b"
    rf"(?P<counted>[\s-]+{_COUNTED})?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quantity:
    """A value and what it counts; `step` is one in its last place, `role` the little word that gives it its sense.
    `scales` says that it is that much of what follows: 1.9 times the mean, 30% of the cash."""

    value: float
    unit: str
    step: float = 0.0
    role: str = ""
    scales: bool = field(default=False, compare=False)

    @property
    def is_time(self) -> bool:
        """Whether it says when, or over how long."""
        return self.unit in _DATES

    @property
    def is_date(self) -> bool:
        """Whether it says when it was: a year, a month, a quarter with its number; not over how many of them."""
        return self.unit in _DATES - _TIMES or (self.unit == "year" and 1900 <= self.value < 2100)

    def says(self, fact: "Quantity") -> bool:
        """Whether this is the fact's number, or that number rounded."""
        if (self.unit, self.role) != (fact.unit, fact.role):
            return False
        apart = abs(self.value - fact.value)
        return apart <= 1e-9 or (apart <= self.step / 2 + 1e-9 and apart <= ROUNDING * abs(fact.value))


def dates(text: str) -> frozenset[tuple[str, float]]:
    """The dates of a text, as units with values."""
    return frozenset((one.unit, one.value) for one in split_quantities(text)[0] if one.is_date)


def split_quantities(text: str) -> tuple[list[Quantity], str]:
    """The quantities of a text in order, and the text without them. What a bare number counts is the next word."""
    found: list[tuple[int, Quantity]] = []
    text = _SPELLED.sub(_in_figures, _INDEX.sub("S&P", text))

    def date(match: re.Match[str]) -> str:
        day, month, year = (match[1], match[2], match[3]) if match[1] else (match[5], match[4], match[6])
        found.append((match.start(), Quantity(float(day), month.lower())))
        if year:
            found.append((match.start() + 1, Quantity(float(year), "year")))
        return " " * len(match[0])

    def period(match: re.Match[str]) -> str:
        name, count = (match[1], match[2]) if match[1] else (match[4], match[3])
        found.append((match.start(), Quantity(float(count), name.lower())))
        return " " * len(match[0])

    def number(match: re.Match[str]) -> str:
        quantity = _quantity(match)
        found.append((match.start(), quantity))
        # Over two weeks: what it leads to is a time, not a value.
        lead = f"{match['role']} " if match["role"] and quantity.is_time else ""
        # Rose 7% to 51 million units: the units are what it came to, nothing that was risen.
        came_to = match["role"] == "to" and bool(_SHARE.search(match.string[: match.start()]))
        kept = "" if came_to else match["noun"] or ""
        return lead + " " * (len(match[0]) - len(lead) - len(kept)) + kept

    text = _NUMBER.sub(number, _PERIOD.sub(period, _DATE.sub(date, text)))
    return [quantity for _, quantity in sorted(found, key=lambda item: item[0])], text


def _quantity(match: re.Match[str]) -> Quantity:
    digits = match["digits"].replace(",", "")
    size = _SIZES[match["size"]] if match["size"] else 1.0
    value = float(digits) * size * (-1 if match["sign"] == "-" else 1)
    places = len(digits.partition(".")[2])
    unit, factor = _unit(match, value)
    role = match["role"] or ""
    if unit in _TIMES or (role == "at" and unit == "$"):
        role = ""
    noun, rest = (match["noun"] or "").lower(), match.string[match.end() :]
    scales = unit == "times" or noun == "of" or (not noun and bool(_OF.match(rest)))
    return Quantity(value * factor, unit, size * factor * 10.0**-places, role + (match["sign"] or ""), scales)


def _unit(match: re.Match[str], value: float) -> tuple[str, float]:
    """The unit, and the factor that brings the value to it."""
    named, noun = (match["unit"] or "").lower(), (match["span"] or match["noun"] or "").lower()
    if named.startswith("basis"):
        return "points", 0.01
    if named.endswith(("points", "point")):
        unit = "points"
    elif named or match["currency"]:
        unit = (match["currency"] or "") + (_UNITS[named.removesuffix("s")] if named else "")
    elif noun and (match["span"] or noun not in wording.STOP_WORDS):
        unit = noun.removesuffix("s")
    elif match["role"] == "at":
        unit = "$"
    else:
        unit = "year" if 1900 <= value < 2100 and re.fullmatch(r"\d{4}", match["digits"]) else ""
    return unit, 1.0


def _in_figures(match: re.Match[str]) -> str:
    words = [word for word in re.split(r"[\s-]+", match[1].lower()) if word != "and"]
    counted = match["counted"] or ""
    if words in (["one"], ["point"]) and not counted:
        return match[0]
    whole, _, fraction = " ".join(words).partition(" point ")
    figures = f"{_value(whole.split()):g}"
    if fraction:
        figures += "." + "".join(f"{_value([word]):g}" for word in fraction.split())
    return figures + counted


def _value(words: list[str]) -> float:
    def add(parts: tuple[float, float], word: str) -> tuple[float, float]:
        total, current = parts
        number = wording.NUMBERS[word]
        if number >= 1000:
            return total + max(current, 1.0) * number, 0.0
        return (total, max(current, 1.0) * number) if number == 100 else (total, current + number)

    total, rest = reduce(add, words, (0.0, 0.0))
    return total + rest
