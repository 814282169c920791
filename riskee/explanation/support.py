"""Whether a document supports a claim: each part of the claim needs one part of the document that says it all."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from riskee.explanation import wording
from riskee.explanation.digitless import sentences, without_digits
from riskee.explanation.predicate import has_verb
from riskee.explanation.statements import Statement, statements
from riskee.messaging.explanations import SourceDocument

# May be dropped from the name of a subject: the average of the close is still the one meant.
_LOOSE = frozenset({"short-term", "medium-term", "long-term"})
# The country that documents on the economy are about.
_HERE = frozenset({"unit", "stat"})
# What a price has; the company itself has something else.
_SHARES = frozenset({"stock", "shar"})
_NEVER = frozenset[str]()
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
    itself: frozenset[str] = _NEVER

    def narrows(self, head: str) -> frozenset[str]:
        """The stems before `head` in the title, in one phrase with it: US consumer price index."""
        for phrase in re.split(r"[,:;.]", self.title):
            before: list[str] = []
            for word in wording.words(phrase):
                if wording.stem(word) == head:
                    return frozenset(before)
                before = [] if word in wording.STOP_WORDS else [*before, wording.stem(word)]
        return _NEVER


def evidence_of(document: SourceDocument, ticker: str) -> Evidence:
    """The statements of a document, also of its text with numbers put in words. Instructions state nothing."""
    itself = frozenset({wording.stem(ticker.lower())}) if _about(document, ticker) else _NEVER
    found: list[Statement] = []
    heading = document.title.partition(": ")[2]
    for text in (document.title, heading, document.snippet, without_digits(f"{document.title}. {document.snippet}")):
        fit = [wording.BRACKETS.sub(" ", one) for one in sentences(text) if not _unfit(one)]
        found += statements(" ".join(fit), itself)
        found += statements(" ".join(_cut(one) for one in fit if _certain(one)), itself)
    return Evidence(tuple(found), document.title, itself)


def _unfit(sentence: str) -> bool:
    """Whether a sentence states nothing: an instruction, or one that its brackets take back."""
    aside = " ".join(wording.BRACKETS.findall(sentence))
    return bool(wording.META.search(wording.BRACKETS.sub(" ", sentence)) or wording.HYPOTHETICAL.search(aside))


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
    itself = frozenset({wording.stem(ticker.lower())}) if _about(document, ticker) else _NEVER
    return statements(sentence, itself, claim=True)


def _about(document: SourceDocument, ticker: str) -> bool:
    return ticker in wording.capitals(f"{document.title} {document.snippet}")


def numbers_fit(claim: Statement, fact: Statement, _: Evidence) -> bool:
    """Each number is the fact's, in value, unit and order."""
    own = iter(fact.quantities)
    for quantity in claim.quantities:
        when = quantity.is_time and any(quantity.says(one) for one in fact.aside)
        if not when and not any(quantity.says(one) for one in own):
            return False
    every = (*(one for one in fact.quantities if one.is_time), *fact.aside)
    if not all(any(quantity.says(one) for quantity in claim.quantities) for one in fact.counted):
        return False
    return all(any(quantity.says(one) for one in every) for quantity in claim.aside)


def ways_fit(claim: Statement, fact: Statement, _: Evidence) -> bool:
    """The directions are the fact's, in its order; what fell did not rise."""
    if _denies(claim, fact):
        return fact.ways == (-claim.ways[0],) and not (claim.quantities or claim.aside_ways)
    return claim.ways == fact.ways and set(claim.aside_ways) <= set(fact.aside_ways)


def negations_fit(claim: Statement, fact: Statement, _: Evidence) -> bool:
    """What the fact denies is denied, and nothing else, but that what fell rose."""
    return claim.negations == fact.negations or _denies(claim, fact)


def _denies(claim: Statement, fact: Statement) -> bool:
    return fact.predicate.moves and claim.negations == 1 and not fact.negations and len(claim.ways) == 1


def certainty_fits(claim: Statement, fact: Statement, _: Evidence) -> bool:
    """What is only possible or expected is not said to be so."""
    return claim.hypothetical == fact.hypothetical


def voice_fits(claim: Statement, fact: Statement, _: Evidence) -> bool:
    """Who did it and to whom it was done are not swapped."""
    return claim.predicate.passive == fact.predicate.passive


def subject_fits(claim: Statement, fact: Statement, evidence: Evidence) -> bool:
    """It is said of the same: the same head, nothing that the fact has not, and nothing left out that narrows it."""
    mine, its = claim.subject, fact.subject
    if mine is None or its is None or mine.head != its.head:
        return False
    called = mine.called | its.called
    if mine.called and its.called and called & _SHARES and called - _SHARES:
        return False
    narrows = (its.before - _LOOSE) | (its.after - _HERE)
    return narrows <= mine.words and mine.words <= its.words | evidence.narrows(its.head)


def words_fit(claim: Statement, fact: Statement, evidence: Evidence) -> bool:
    """Every word with a meaning is in the fact, or in what the rest of its sentence adds to it, and each preposition
    leads where it does there: what went from India to China did not go from China to India. What limits the fact is
    left in: what rose in China did not simply rise."""
    its_subject, own_subject = (each.subject.words if each.subject else _NEVER for each in (fact, claim))
    limits = fact.predicate.limits - its_subject - evidence.itself
    known = fact.words | fact.lent | its_subject
    return (
        claim.words <= known
        and claim.predicate.links <= fact.predicate.links
        and limits <= claim.words | own_subject | claim.predicate.limits
    )


def verb_fits(claim: Statement, fact: Statement, _: Evidence) -> bool:
    """The same is done to the same. Plain moves stand for one another where they have no object."""
    mine, its = claim.predicate, fact.predicate
    same = mine.verb == its.verb or (its.moves and (mine.moves or mine.verb in fact.lent))
    if mine.passive != its.passive:
        return same
    return same and its.object <= mine.object and mine.object <= its.object | fact.lent


def consequence_fits(claim: Statement, fact: Statement, evidence: Evidence) -> bool:
    """What is said to follow from another part does so in the document, from the same."""
    if not claim.follows or not fact.follows or claim.before is None:
        return fact.follows or not claim.follows
    before = fact.before
    return before is not None and all(fits(claim.before, before, evidence) for fits in FITS.values())


Fit = Callable[[Statement, Statement, Evidence], bool]
FITS: Mapping[str, Fit] = {
    "subject": subject_fits,
    "support": words_fit,
    "verb": verb_fits,
    "negation": negations_fit,
    "direction": ways_fit,
    "future": certainty_fits,
    "voice": voice_fits,
    "number": numbers_fit,
    "consequence": consequence_fits,
}


def misfit(claim: Statement, evidence: Evidence) -> str | None:
    """The kind of what is wrong with a claim, None where a fact supports it: what keeps the nearest fact from it."""
    wrong = [[kind for kind, fits in FITS.items() if not fits(claim, fact, evidence)] for fact in evidence.statements]
    if not wrong:
        return "support"
    kinds: list[str] = min(wrong, key=len)
    return kinds[0] if kinds else None
