"""The deterministic text: all numbers, names and signs of an explanation come from here."""

import math
from collections.abc import Sequence

from riskee.documents.document import COLLECTIONS
from riskee.explanation import wording
from riskee.explanation.characters import strange
from riskee.explanation.facts import FLAG_NOTES, Facts
from riskee.explanation.times import period
from riskee.messaging.explanations import Driver, SourceDocument

_UNFIT = (wording.META, wording.ADVICE, wording.FORECAST, wording.CERTAINTY, wording.FIRST_PERSON)


def headline(facts: Facts) -> str:
    """What is predicted, in one sentence with all its numbers."""
    p = facts.prediction
    move = math.expm1(p.expected_return)
    way = ("about unchanged", f"up {move:.2%}", f"down {-move:.2%}")[facts.direction]
    return (
        f"The {p.model_type} model expects {p.ticker} to close the next session at {p.predicted_price:.2f}, {way} from "
        f"{p.price:.2f}; the probability of a rise is {p.p_up:.0%}, and with 80% probability the close lies between "
        f"{p.interval.p10:.2f} and {p.interval.p90:.2f}."
    )


def uncertainty(facts: Facts) -> str:
    """How far the close may come out elsewhere, beside the move that is expected."""
    p = facts.prediction
    low, high = (price / p.price - 1 for price in (p.interval.p10, p.interval.p90))
    return f"Beside that range, {low:+.1%} to {high:+.1%} from the price, the expected move is {facts.certainty}."


def record(facts: Facts) -> str:
    """What became of this model's earlier predictions for the ticker."""
    p, r = facts.prediction, facts.record
    if not facts.record_read:
        return "The track record could not be read."
    if r is None:
        return f"None of this model's earlier predictions for {p.ticker} has been scored yet."
    return (
        f"Of this model's {r.outcomes:,} scored predictions for {p.ticker} in {r.sessions:,} "
        f"session{_plural(r.sessions)}, {r.hit_rate:.0%} had the direction right (95% interval {r.hit_rate_low:.0%} to "
        f"{r.hit_rate_high:.0%}; always saying the commoner direction: {r.chance:.0%}): {r.verdict}."
    )


def data_time(facts: Facts) -> str:
    """Of which moment the data is."""
    p = facts.prediction
    return f"The price is of {p.data_time:%Y-%m-%d %H:%M} UTC, from {p.feed}."


def drivers(facts: Facts) -> list[str]:
    """What moved the prediction, with the size of each part."""
    sentences = []
    if facts.pushing_up:
        sentences.append(f"Pushing it up: {_sizes(facts.pushing_up)}.")
    if facts.pulling_down:
        sentences.append(f"Pulling it down: {_sizes(facts.pulling_down)}.")
    return sentences or ["What moved it is not known any more."]


def report(document: SourceDocument) -> str:
    """A document by its title, source and date. A title that advises, promises, foretells, instructs or hides something
    is not repeated; of the model's own backtests the title may say what the model expected."""
    title = document.title if _fit(document) else f"a text of {document.collection.replace('_', ' ')}"
    return f"Background: {title} ({_origin(document)})."


def dated(sentence: str, document: SourceDocument) -> str:
    """A language model's sentence on a document, with the time that it is of: what was so then is not said as of now.
    The period is the title's, where that has one and may be repeated, and says more than the date."""
    of = period(document.title) if _fit(document) else ""
    same_day = f"{document.published_at.day} {document.published_at:%B %Y}" in of
    when = f"{of}; " if of and not same_day else ""
    return f"{sentence.removesuffix('.')} ({when}{_origin(document)})."


def _fit(document: SourceDocument) -> bool:
    """Whether its title may be repeated."""
    title, past = document.title, document.collection == "prediction_context"
    return not strange(title) and not any(
        pattern.search(title) for pattern in _UNFIT if not (past and pattern is wording.FORECAST)
    )


def _origin(document: SourceDocument) -> str:
    # A line of its own would be a paragraph of its own.
    return f"{' '.join(document.source.split())}, {document.published_at:%Y-%m-%d}"


def without_documents(facts: Facts) -> str:
    """Why no document is cited."""
    if len(facts.unsearched) == len(COLLECTIONS):
        return "The documents could not be searched."
    return "No document on it was found." if facts.unsearched else "No document on it is known."


def unsearched(facts: Facts) -> list[str]:
    """Which of the documents could not be searched, where others could."""
    names = [collection.replace("_", " ") for collection in facts.unsearched]
    some = 0 < len(names) < len(COLLECTIONS)
    return [f"Of the documents, these could not be searched: {', '.join(names)}."] if some else []


def caveats(facts: Facts) -> list[str]:
    """What speaks against relying on it."""
    return [FLAG_NOTES[flag] for flag in facts.prediction.flags]


def _sizes(drivers: Sequence[Driver]) -> str:
    return ", ".join(f"{driver.name} ({_size(driver)})" for driver in drivers)


def _size(driver: Driver) -> str:
    size = f"{math.expm1(driver.contribution):+.2%}"
    return f"{size}; {driver.label}: {driver.shown}" if driver.shown else size


def _plural(count: int) -> str:
    return "" if count == 1 else "s"
