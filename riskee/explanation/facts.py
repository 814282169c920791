"""The facts of one explanation: everything that its text may claim."""

from collections.abc import Mapping
from dataclasses import dataclass

from riskee.messaging.explanations import Driver, SourceDocument
from riskee.messaging.messages import Flag, Prediction
from riskee.messaging.statuses import MEANINGS

LABELS = "ABCDEFGHIJ"
FLAG_NOTES: Mapping[Flag, str] = {
    Flag.REPLAY: "The quote comes from a replay of past prices, not from today's market.",
    Flag.PROVISIONAL_BAR: "The session is still open, so its bar is provisional.",
    Flag.IN_SAMPLE: "The model was trained on this session, so the prediction is no test of it.",
    **{Flag(meaning.status.value): meaning.text for meaning in MEANINGS if meaning.status.value in set(Flag)},
}


@dataclass(frozen=True)
class Facts:
    """A prediction, what moved it, and the documents found for it (the first is A, the second B, …)."""

    prediction: Prediction
    drivers: tuple[Driver, ...]
    documents: tuple[SourceDocument, ...]

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
    def pushing_up(self) -> tuple[Driver, ...]:
        return tuple(driver for driver in self.drivers if driver.contribution > 0)

    @property
    def pulling_down(self) -> tuple[Driver, ...]:
        return tuple(driver for driver in self.drivers if driver.contribution < 0)

    @property
    def labelled(self) -> dict[str, SourceDocument]:
        return dict(zip(LABELS, self.documents, strict=False))
