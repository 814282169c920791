"""What must hold after any fault, as comparisons of sets. No input or output."""

import uuid
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from riskee.ids import asked_prediction_id, prediction_id

_EXAMPLES = 3


@dataclass(frozen=True)
class PredictionRow:
    """What identifies a stored prediction."""

    prediction_id: uuid.UUID
    quote_id: uuid.UUID
    horizon: str
    model_version: str
    market_quote_id: uuid.UUID | None
    as_of: datetime


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
    # Requests for a prediction that the bus acknowledged.
    jobs: Collection[uuid.UUID] = ()
    # The jobs that events are answers to, by the ids of their predictions: all that no quote was the occasion of.
    answers: Mapping[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    # The jobs that were told why there is no prediction.
    refused: Collection[uuid.UUID] = ()
    # Why rows are not what their events say.
    unlike: Sequence[str] = ()
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
    yield from _told("predictions unlike their events", it.unlike)
    yield from _of_quotes(it)
    yield from _of_jobs(it)
    yield from _equal("poison", "sent", it.poison, "dead-lettered", it.letters)
    yield from _equal("dead letters", "on the bus", it.letters, "in quarantine", it.quarantined)
    yield from _told("differences from a run without faults", it.differences)


def _of_quotes(it: Evidence) -> Iterator[str]:
    unasked = [row for row in it.predictions if row.prediction_id not in it.answers]
    predicted = {row.quote_id for row in unasked}
    pairs = [(row.quote_id, row.model_version) for row in unasked]
    derived = [row.prediction_id == prediction_id(row.quote_id, row.horizon, row.model_version) for row in unasked]
    strange = {row.quote_id for row in it.predictions} - {*it.quotes}
    yield from _told("predictions of quotes that are not stored", strange)
    yield from _told("quotes predicted twice by a model", _repeated(pairs))
    yield from _told(
        "predictions whose id is not derived", [row for row, is_so in zip(unasked, derived, strict=True) if not is_so]
    )
    yield from _told("quotes without their prediction", {*it.due} - predicted)


def _of_jobs(it: Evidence) -> Iterator[str]:
    """Each job is answered; one that was delivered again may have answers of several moments, each a prediction."""
    answered = {*it.answers.values()}
    yield from _told("jobs without an answer", {*it.jobs} - answered - {*it.refused})
    yield from _told("answers to jobs that nobody sent", answered - {*it.jobs})
    rows = [row for row in it.predictions if row.prediction_id in it.answers]
    strange = [row for row in rows if row.prediction_id != _asked(row, it.answers[row.prediction_id])]
    yield from _told("answers whose id is not derived", strange)


def _asked(row: PredictionRow, job: uuid.UUID) -> uuid.UUID:
    of_quote = prediction_id(row.quote_id, row.horizon, row.model_version)
    return asked_prediction_id(of_quote, job, row.market_quote_id, row.as_of)


def unexplained(asked: Collection[uuid.UUID], explained: Sequence[uuid.UUID]) -> list[str]:
    """What does not hold of the predictions whose explanation was asked for and, a row each, of the explanations."""
    return list(_equal("explanations", "asked for", asked, "stored", explained))


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
