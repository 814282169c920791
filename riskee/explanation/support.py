"""Whether a document supports a claim: each part of the claim needs one part of the document that says it all."""

from collections.abc import Callable, Mapping

from riskee.explanation.evidence import Evidence
from riskee.explanation.statements import Statement
from riskee.explanation.subject import SOMEBODY
from riskee.explanation.times import is_named

# May be dropped from the name of a subject: the average of the close is still the one meant.
_LOOSE = frozenset({"short-term", "medium-term", "long-term"})
# The country that documents on the economy are about.
_HERE = frozenset({"unit", "stat"})
# What a price has; the company itself has something else.
_SHARES = frozenset({"stock", "shar"})
_IS = frozenset({"is", "are", "was", "were"})
_NEVER = frozenset[str]()


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


def factor_fits(claim: Statement, fact: Statement, _: Evidence) -> bool:
    """The number by which the fact is compared is said: 30% of the cash is not the cash."""
    plain = fact.predicate.verb in _IS and not fact.ways
    needed = [one for one in fact.quantities if one.scales or (plain and not one.is_time)]
    return all(any(quantity.says(one) for quantity in claim.quantities) for one in needed)


def times_fit(claim: Statement, fact: Statement, evidence: Evidence) -> bool:
    """It is said of the fact's times, and not as of now. A time that the fact names is named, be it by the title, which
    stands behind the sentence."""
    needed = {time for time in fact.times if is_named(time)} - evidence.times
    said = {(one.unit, one.value) for one in (*claim.quantities, *claim.aside)}
    dated = {(one.unit, one.value) for one in (*fact.quantities, *fact.aside) if one.is_date} - evidence.dates
    return claim.times <= fact.times and needed <= claim.times and dated <= said and claim.now <= fact.now


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
    if mine is None or its is None or mine.head != its.head or mine.head == SOMEBODY:
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


def support_fits(claim: Statement, fact: Statement, evidence: Evidence) -> bool:
    """It says nothing that the fact does not, and leaves out nothing that limits it."""
    return all(fits(claim, fact, evidence) for fits in (words_fit, factor_fits, times_fit))


def verb_fits(claim: Statement, fact: Statement, _: Evidence) -> bool:
    """The same is done to the same. Plain moves stand for one another where they have no object."""
    mine, its = claim.predicate, fact.predicate
    same = mine.verb == its.verb or (its.moves and (mine.moves or mine.verb in fact.lent))
    if mine.passive != its.passive:
        return same
    return same and its.object == mine.object


def consequence_fits(claim: Statement, fact: Statement, evidence: Evidence) -> bool:
    """What is said to follow from another part does so in the document, from the same."""
    if not claim.follows or not fact.follows or claim.before is None:
        return fact.follows or not claim.follows
    before = fact.before
    return before is not None and all(fits(claim.before, before, evidence) for fits in FITS.values())


Fit = Callable[[Statement, Statement, Evidence], bool]
FITS: Mapping[str, Fit] = {
    "subject": subject_fits,
    "support": support_fits,
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
