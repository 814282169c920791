"""What a document states, as evidence for what is claimed of it."""

import re
from dataclasses import dataclass
from functools import cached_property

from riskee.explanation import wording
from riskee.explanation.asserting import GAP, asserted
from riskee.explanation.digitless import without_digits
from riskee.explanation.naming import cast_of
from riskee.explanation.predicate import has_verb
from riskee.explanation.quantities import dates
from riskee.explanation.statements import Statement, statements
from riskee.explanation.times import period, times
from riskee.messaging.explanations import SourceDocument

_GOES_ON = re.compile(r"\s(?:after|following|as|when|because)\s.*$", re.IGNORECASE)
# What happened, said without a verb: after the call.
_EVENT = re.compile(
    r"\b(?:announcements?|approvals?|calls?|deals?|earnings|events?|launch(?:es)?|meetings?|mergers?|news|reports?|"
    r"results?|rulings?|verdicts?|an? (?:gain|loss|rise|fall|drop|jump|decline|increase|decrease))\b",
    re.IGNORECASE,
)
# How a number was come by: without it, another number is meant.
_MEASURE = re.compile(
    r"\b(?:exclud\w*|includ\w*|adjust\w*|stripp\w*|deduct\w*|remov\w*|account\w*|restat\w*|correct(?:ed|ing|ions?)|"
    r"measur\w*|count\w*|convert\w*|express\w*|annuali[sz]\w*|tax(?:es)?|charges?|items?|effects?|expenses?|"
    r"write-(?:downs?|offs?)|currenc(?:y|ies)|inflation|interest|dividends?|depreciation)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Evidence:
    """What a document states, and its title, which says more exactly what it is about; `itself` are the stems that
    name that."""

    statements: tuple[Statement, ...]
    title: str
    itself: frozenset[str] = frozenset()

    @cached_property
    def times(self) -> frozenset[str]:
        """The times of the document's period, which the text of an explanation names behind each sentence."""
        return times(period(self.title))

    @cached_property
    def dates(self) -> frozenset[tuple[str, float]]:
        """The dates of that period."""
        return dates(period(self.title))

    def narrows(self, head: str) -> frozenset[str]:
        """The stems before `head` in the title, in one phrase with it: US consumer price index."""
        for phrase in re.split(r"[,:;.]", self.title):
            before: list[str] = []
            for word in wording.words(phrase):
                if wording.stem(word) == head:
                    return frozenset(before)
                before = [] if word in wording.STOP_WORDS else [*before, wording.stem(word)]
        return frozenset()


def evidence_of(document: SourceDocument, ticker: str) -> Evidence:
    """The statements of a document, also of its text with numbers put in words. Instructions state nothing."""
    cast = cast_of(document, ticker)
    found: list[Statement] = []
    title, snippet = document.title, asserted(document.snippet, cast.itself)
    own = dates(period(title))
    undated = [GAP if dates(one) - own else without_digits(one) or GAP for one in (f"{title}.", *snippet)]
    for text in (asserted(title, cast.itself), _heading(document, ticker), snippet, undated):
        fit = [GAP if _unfit(one) else wording.BRACKETS.sub(" ", one) for one in text]
        found += statements(" ".join(fit), cast)
        found += statements(" ".join(_cut(one) if _certain(one) else GAP for one in fit), cast)
    return Evidence(tuple(found), title, cast.itself)


def _heading(document: SourceDocument, ticker: str) -> list[str]:
    """What a title says behind its label, where the label is the ticker or that of a backtest."""
    label, _, heading = document.title.partition(": ")
    own = label == ticker or document.collection == "prediction_context"
    return [heading] if own and heading else []


def _unfit(sentence: str) -> bool:
    """Whether a sentence states nothing: an instruction, or one that its brackets may take back: (so the union)."""
    asides = wording.BRACKETS.findall(sentence)
    said = any(len(wording.words(aside)) > 1 or wording.HYPOTHETICAL.search(aside) for aside in asides)
    return said or bool(wording.META.search(wording.BRACKETS.sub(" ", sentence)))


def _certain(sentence: str) -> bool:
    return not (wording.has_negation(sentence) or wording.HYPOTHETICAL.search(sentence))


def _cut(sentence: str) -> str:
    """A sentence without what it goes on to say of something else: what it says first is so without that, unless that
    is how it was measured, as after taxes."""
    rest = _GOES_ON.search(sentence)
    if rest is None or _MEASURE.search(rest[0]) or not (has_verb(rest[0]) or _EVENT.search(rest[0])):
        return sentence
    return f"{sentence[: rest.start()].rstrip('.')}."


def claims_of(sentence: str, document: SourceDocument, ticker: str) -> list[Statement]:
    """The statements of a sentence that cites a document."""
    return statements(sentence, cast_of(document, ticker), claim=True)
