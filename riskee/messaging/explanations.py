"""The messages of explanations: asked for, under way, given. Returns are log returns."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from riskee.messaging.messages import Message, Prediction, Probability, Ticker

Occasion = Literal["request", "material"]
Fallback = Annotated[
    Literal["late", "resting", "busy", "away", "garbled", "refused"],
    Meta(
        description="why the template speaks: the language model was too late, is left alone after failures in a row, "
        "has too many others to answer, gave an error or no answer, gave no sentence, or too little of what it wrote "
        "held"
    ),
]
Stage = Literal["queued", "facts", "documents", "writing", "checking", "done"]


class ExplainRequest(Message, frozen=True):
    """A request to explain a prediction (`thought.prediction.explain`): somebody asked, or its move is material."""

    prediction: Prediction
    requested_at: datetime
    occasion: Occasion = "request"


class ExplainProgress(Message, frozen=True):
    """How far an explanation is (`beat.explain`). `tokens` counts what the language model has written.

    `sentence` is one that was checked just now, and held. `draft` is what the model wrote since the last message,
    unchecked: only where `explanation.show_drafts` is set.
    """

    prediction_id: uuid.UUID
    ticker: Ticker
    stage: Stage
    tokens: Annotated[int, Meta(ge=0)] = 0
    sentence: str | None = None
    draft: str | None = None


class Driver(Message, frozen=True):
    """One attribution: what a group of features added to the expected return.

    `feature` is the strongest of the group and `label` its name in plain words; `unit` is that of its raw `value`, and
    `shown` the value as a person reads it, with a unit.
    """

    name: str
    feature: str
    value: float | None
    contribution: float
    label: str = ""
    unit: str = ""
    shown: str = ""


class SourceDocument(Message, frozen=True):
    """A document that the explanation cites. `url` is its path in the API."""

    document_id: uuid.UUID
    collection: str
    title: str
    snippet: str
    source: str
    published_at: datetime
    score: float
    ticker: str | None = None
    known_at: datetime | None = None
    url: str = ""


class Record(Message, frozen=True):
    """What became of the predictions of a ticker by a model; the interval is one of 95 %, over sessions.

    `chance` is the hit rate of the better of always up and always down.
    """

    outcomes: int
    sessions: int
    hit_rate: Probability
    hit_rate_low: Probability
    hit_rate_high: Probability
    chance: Probability
    verdict: str


Verified = Annotated[
    bool,
    Meta(
        description="every number of the text is one of the prediction's, its drivers' or a cited document's, and "
        "every citation has its source; a language model's sentences have also passed checks of direction, names and "
        "wording (no advice, no certainty). The whole meaning is not checked."
    ),
]


class Explanation(Message, frozen=True):
    """The explanation of a prediction (`thought.prediction.explained`).

    `text` has four paragraphs with a blank line between. `facts_sha256` stands for all that it may claim. `dropped`
    counts the language model's sentences that were refused, by reason; `fallback` says why the template speaks, and is
    None where the language model does. Tokens are those that the model read and wrote.
    """

    explanation_id: uuid.UUID
    prediction_id: uuid.UUID
    ticker: Ticker
    data_time: datetime
    created_at: datetime
    text: str
    drivers: tuple[Driver, ...]
    sources: tuple[SourceDocument, ...]
    generator: Literal["model", "template"]
    verified: Verified
    llm: str
    prompt_version: str
    seconds: float
    occasion: Occasion = "request"
    facts_sha256: str = ""
    record: Record | None = None
    dropped: Mapping[str, int] = {}
    tokens_in: int = 0
    tokens_out: int = 0
    fallback: Fallback | None = None
