"""Whom a part of a sentence is about."""

from dataclasses import dataclass, field

from riskee.explanation import wording
from riskee.explanation.naming import ANYBODYS, Cast

# Stands for the company or index that a document is about.
SELF = "@"
# Stands for somebody of whom the text does not say who it is.
SOMEBODY = "?"
_HEAD_ENDS = wording.PREPOSITIONS
_RELATIVE = frozenset({"who", "which"})
_WHERE = frozenset({"in", "near", "across", "outside"})
_SPEAKER = frozenset({"we", "i"})
_COMPANY = {wording.stem(word) for word in wording.COMPANY}


@dataclass(frozen=True)
class Subject:
    """Whom a statement is about: `head` with what stands before it (`services` revenue) and after it (of China).
    `called` are the words for what a document is about: its company loses something else than its shares. `other` says
    that the last to be named was another, `doubtful` that what was said last also names somebody, so that it may mean
    either."""

    head: str
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    called: frozenset[str] = field(default=frozenset(), compare=False)
    other: bool = field(default=False, compare=False)
    doubtful: bool = field(default=False, compare=False)

    @property
    def words(self) -> frozenset[str]:
        return self.before | self.after | {self.head}


def subject_of(named: list[str], rest: str, cast: Cast, last: Subject | None) -> Subject | None:
    """Whom a part is about. `rest` is what it says of it."""
    named = [word for word in named if word not in wording.NEGATION]
    meaning = [word for word in named if word not in wording.STOP_WORDS or word in wording.COMPANY]
    end = next((at for at, word in enumerate(named) if word in _HEAD_ENDS and at), len(named))
    stems = [wording.stem(word) for word in named[:end] if word in meaning]
    doubtful = _names_somebody(wording.words(rest), cast)
    if not stems:
        unclear = last is not None and not wording.PRONOUNS.isdisjoint(named) and last.doubtful
        return Subject(SOMEBODY, other=True) if unclear or not _RELATIVE.isdisjoint(named) else last
    after = frozenset(wording.stem(word) for word in named[end:] if word in meaning)
    other = _of_other(named, stems, after, cast, last)
    company = {*stems, *after} & _COMPANY
    anybodys = bool(cast.itself) and not cast.told_by_itself and stems[-1] in ANYBODYS
    speaker = not cast.told_by_itself and not _SPEAKER.isdisjoint(stems)
    if speaker or (other and (company or anybodys) and cast.others.isdisjoint({*stems, *after})):
        return Subject(SOMEBODY, other=True)
    if {*stems, *after} <= cast.itself | _COMPANY:
        return Subject(SELF, called=frozenset(company), doubtful=doubtful)
    return Subject(stems[-1], frozenset(stems[:-1]), after, other=other, doubtful=doubtful)


def _of_other(named: list[str], stems: list[str], after: frozenset[str], cast: Cast, last: Subject | None) -> bool:
    """Whether another than what the text is about was named last: Samsung's shipments, shipments of Samsung, a supplier
    of AAPL; but not sales in China, or AAPL's sales."""
    if not cast.itself.isdisjoint(stems):
        return False
    if after & cast.itself:
        return stems[-1] not in ANYBODYS | _COMPANY
    of = next((at for at, word in enumerate(named) if word in wording.PREPOSITIONS - {"of", "at"} and at), len(named))
    if {wording.stem(word) for word in named[:of]} & cast.others:
        return True
    return last.other if last else cast.begins_with_other


def _names_somebody(said: list[str], cast: Cast) -> bool:
    """Whether words name somebody, not only a place: sued Samsung, but not in Ohio."""
    pairs = zip(["", *said], said, strict=False)
    return any(wording.stem(word) in cast.itself | cast.others and before not in _WHERE for before, word in pairs)
