"""The deterministic text: all numbers, names and signs of an explanation come from here."""

import math
from collections.abc import Sequence

from riskee.explanation.facts import FLAG_NOTES, Facts
from riskee.messaging.explanations import Driver, SourceDocument


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


def drivers(facts: Facts) -> list[str]:
    """What moved the prediction, with the size of each part."""
    sentences = []
    if facts.pushing_up:
        sentences.append(f"Pushing it up: {_sizes(facts.pushing_up)}.")
    if facts.pulling_down:
        sentences.append(f"Pulling it down: {_sizes(facts.pulling_down)}.")
    return sentences or ["What moved it is not known any more."]


def report(document: SourceDocument) -> str:
    """A document by its title, source and date."""
    return f"Background: {document.title} ({document.source}, {document.published_at:%Y-%m-%d})."


def caveats(facts: Facts) -> list[str]:
    """What speaks against relying on it."""
    return [FLAG_NOTES[flag] for flag in facts.prediction.flags]


def _sizes(drivers: Sequence[Driver]) -> str:
    return ", ".join(f"{driver.name} ({math.expm1(driver.contribution):+.2%})" for driver in drivers)
