"""Reading the answer of a language model while it is written: a flat JSON object of sentences."""

import re

import msgspec

from riskee.errors import PoisonError

# Twice what the longest answer takes: a model that does not end is cut off.
LONGEST_ANSWER = 4000
# A string that is longer than a label can only go on until its quotation mark.
_LONG = 100
_STRING = r'("(?:[^"\\]|\\.)*")'
_PAIR = re.compile(rf"\s*{_STRING}\s*:\s*{_STRING}", re.DOTALL)
# What a pair can look like while it is not whole.
_BEGUN = re.compile(r'\s*(?:"(?:[^"\\]|\\.)*(?:"\s*(?::\s*(?:"(?:[^"\\]|\\.)*)?)?|\\)?\\?)?', re.DOTALL)
_REMEDY = "the template is used"


class AnswerReader:
    """Gives each pair as soon as its text is whole, and counts them. Anything but such an object is poison at its first
    wrong sign."""

    def __init__(self) -> None:
        self._rest = ""
        self._length = 0
        self._expects = "{"
        self.pairs = 0

    @property
    def ended(self) -> bool:
        """Whether the object is closed: what a model still writes after that is of no interest."""
        return self._expects == ""

    def feed(self, text: str) -> list[tuple[str, str]]:
        """The pairs that this piece completes, as label and sentence. Raises PoisonError."""
        self._rest += text
        self._length += len(text)
        if self._length > LONGEST_ANSWER:
            raise PoisonError(f"the language model wrote more than {LONGEST_ANSWER} characters", _REMEDY)
        if len(self._rest) > _LONG and '"' not in text:
            return []
        pairs: list[tuple[str, str]] = []
        while self._step(pairs):
            pass
        return pairs

    def _step(self, pairs: list[tuple[str, str]]) -> bool:
        """Read one part, if it is whole."""
        if self._expects == "pair":
            return self._read_pair(pairs)
        rest = self._rest.lstrip()
        if not rest or self.ended:
            return False
        if rest[0] not in self._expects:
            raise PoisonError(f"the language model's answer is no JSON object of sentences at {rest[:20]!r}", _REMEDY)
        self._rest = rest[1:]
        self._expects = "" if rest[0] == "}" else "pair"
        return not self.ended

    def _read_pair(self, pairs: list[tuple[str, str]]) -> bool:
        found = _PAIR.match(self._rest)
        if found:
            try:
                pairs.append((msgspec.json.decode(found[1], type=str), msgspec.json.decode(found[2], type=str)))
            except msgspec.MsgspecError as error:
                raise PoisonError(f"the language model's answer is no JSON: {error}", _REMEDY) from error
            self._rest, self._expects = self._rest[found.end() :], ",}"
            self.pairs += 1
            return True
        if self._rest.lstrip().startswith("}"):
            self._expects = "}"
            return True
        if not _BEGUN.fullmatch(self._rest):
            cause = f"the language model's answer is no JSON object of sentences at {self._rest[:20]!r}"
            raise PoisonError(cause, _REMEDY)
        return False
