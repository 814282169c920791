"""What must hold after any fault, as comparisons of sets. No input or output."""

import uuid
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from riskee.ids import prediction_id

_EXAMPLES = 3


@dataclass(frozen=True)
class PredictionRow:
    """What identifies a stored prediction."""

    prediction_id: uuid.UUID
    quote_id: uuid.UUID
    horizon: str
    model_version: str


@dataclass(frozen=True)
class Evidence:
    """What was sent and what is stored, once everything has come to rest."""

    # Quotes that the bus acknowledged.
    accepted: Collection[uuid.UUID]
    # One for each row of `quotes`.
    quotes: Sequence[uuid.UUID]
    # One for each prediction event on the bus.
    events: Sequence[uuid.UUID]
    # One for each row of `predictions`.
    predictions: Sequence[PredictionRow]
    # The quotes that must have a prediction: the last of each ticker, or all where none waits behind another.
    due: Collection[uuid.UUID] = ()
    # Bodies of the poison sent, of the dead letters on the bus and of those in quarantine.
    poison: Sequence[str] = ()
    letters: Sequence[str] = ()
    quarantined: Sequence[str] = ()
    # Why the state differs from one without faults.
    differences: Sequence[str] = field(default=())


def violations(evidence: Evidence) -> list[str]:
    """Every bar that does not hold, with examples; empty when all is well."""
    return list(_violations(evidence))


def _violations(it: Evidence) -> Iterator[str]:
    rows = [row.prediction_id for row in it.predictions]
    yield from _equal("quotes", "accepted", it.accepted, "stored", it.quotes)
    yield from _equal("predictions", "published", it.events, "stored", rows)
    yield from _told("events published twice", _repeated(it.events))
    predicted = {row.quote_id for row in it.predictions}
    pairs = [(row.quote_id, row.model_version) for row in it.predictions]
    yield from _told("predictions of quotes that are not stored", predicted - {*it.quotes})
    yield from _told("quotes predicted twice by a model", _repeated(pairs))
    yield from _told("predictions whose id is not derived", [row for row in it.predictions if not _derived(row)])
    yield from _told("quotes without their prediction", {*it.due} - predicted)
    yield from _equal("poison", "sent", it.poison, "dead-lettered", it.letters)
    yield from _equal("dead letters", "on the bus", it.letters, "in quarantine", it.quarantined)
    yield from _told("differences from a run without faults", it.differences)


def _equal(
    what: str, first: str, firsts: Collection[Hashable], second: str, seconds: Sequence[Hashable]
) -> Iterator[str]:
    yield from _told(f"{what} {first} but not {second}", {*firsts} - {*seconds})
    yield from _told(f"{what} {second} but not {first}", {*seconds} - {*firsts})
    yield from _told(f"{what} {second} twice", _repeated(seconds))


def _told(what: str, found: Iterable[object]) -> Iterator[str]:
    cases = [*found]
    if cases:
        yield f"{len(cases)} {what}, e.g. {', '.join(map(str, cases[:_EXAMPLES]))}"


def _repeated(values: Iterable[Hashable]) -> list[Hashable]:
    return [value for value, count in Counter(values).items() if count > 1]


def _derived(row: PredictionRow) -> bool:
    # No scenario has a job that is whole: what those make has ids of their own.
    return row.prediction_id == prediction_id(row.quote_id, row.horizon, row.model_version)
