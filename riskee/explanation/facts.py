"""The facts of one explanation: everything that its text may claim."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from riskee.documents.document import Collection
from riskee.messaging.explanations import Driver, Record, SourceDocument
from riskee.messaging.messages import Flag, Prediction
from riskee.messaging.statuses import MEANINGS

LABELS = "ABCDEFGHIJ"
FLAG_NOTES: Mapping[Flag, str] = {
    Flag.REPLAY: "The quote comes from a replay of past prices, not from today's market.",
    Flag.PROVISIONAL_BAR: "The session is still open, so its bar is provisional.",
    Flag.IN_SAMPLE: "The model was trained on this session, so the prediction is no test of it.",
    **{Flag(meaning.status.value): meaning.text for meaning in MEANINGS if meaning.status.value in set(Flag)},
}

# Of the expected move against half the width of the 80 % interval: one is a move to the interval's very end.
_CERTAINTY = ((0.1, "very small"), (0.3, "small"), (0.6, "notable"))


def conviction(prediction: Prediction) -> float:
    """The expected move, up or down, in halves of its own 80 % interval: comparable between calm and wild tickers."""
    interval = prediction.interval
    half = math.log(interval.p90 / interval.p10) / 2
    return abs(prediction.expected_return) / half if half > 0 else 0.0


@dataclass(frozen=True)
class Facts:
    """A prediction, what moved it, the documents found for it (the first is A, the second B, …), and what became of
    earlier ones."""

    prediction: Prediction
    drivers: tuple[Driver, ...]
    documents: tuple[SourceDocument, ...]
    record: Record | None = None
    # Nothing was found, or it could not be looked for: not the same.
    unsearched: tuple[Collection, ...] = ()
    record_read: bool = True

    @property
    def direction(self) -> int:
        """+1 when the price is expected to rise, -1 to fall, 0 when the model expects no move to speak of."""
        expected = self.prediction.expected_return
        return 0 if abs(expected) < 5e-5 else (1 if expected > 0 else -1)

    @property
    def strength(self) -> str:
        """How far the price is expected to move, in a word."""
        expected = abs(self.prediction.expected_return)
        return "slightly" if expected < 0.0025 else "moderately" if expected < 0.01 else "clearly"

    @property
    def certainty(self) -> str:
        """How large the expected move is beside its own uncertainty, in words."""
        ratio = conviction(self.prediction)
        return next((words for limit, words in _CERTAINTY if ratio < limit), "large")

    @property
    def pushing_up(self) -> tuple[Driver, ...]:
        return tuple(driver for driver in self.drivers if driver.contribution > 0)

    @property
    def pulling_down(self) -> tuple[Driver, ...]:
        return tuple(driver for driver in self.drivers if driver.contribution < 0)

    @property
    def labelled(self) -> dict[str, SourceDocument]:
        return dict(zip(LABELS, self.documents, strict=False))
