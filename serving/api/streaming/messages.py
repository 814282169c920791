"""All messages of the stream. docs/stream.md is written from these, so every docstring is for a client's eyes."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from riskee.messaging.explanations import ExplainProgress, Explanation
from riskee.messaging.messages import Prediction
from riskee.messaging.statuses import Status

Sequence = Annotated[
    int, Meta(ge=0, description="the place in the stream of this API process; it never falls, and gaps are normal")
]


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a client was when its connection broke: the last `epoch` and the highest `sequence` that it saw."""

    epoch: str
    sequence: Annotated[int, Meta(ge=0)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends. `*` stands for all tickers. `resume` only in the first request of a connection."""

    type: Literal["subscribe", "unsubscribe"]
    tickers: tuple[str, ...]
    resume: Resume | None = None


class SubscribedMessage(msgspec.Struct, frozen=True, tag="subscribed"):
    """All that the connection is subscribed to now.

    `resumed`: what was missed follows, the newest of each ticker, and nothing twice. Otherwise, after a `subscribe`,
    where the numbers stand and the last known prediction of each ticker follow, then `complete`; after an `unsubscribe`
    only `complete`.
    """

    sequence: Sequence
    tickers: tuple[str, ...]
    epoch: str
    resumed: bool


class PredictionMessage(msgspec.Struct, frozen=True, tag="prediction"):
    """A prediction with its gravest status, and since when that holds, where it is known; `snapshot` where it was
    known before the subscription."""

    sequence: Sequence
    snapshot: bool
    status: Status
    status_since: datetime | None
    prediction: Prediction


class StatusMessage(msgspec.Struct, frozen=True, tag="status"):
    """What has become of the numbers of some tickers, or of all where none are named.

    `standing`: it holds until the next such message; then `ok` says that numbers of quotes from `since` on are current,
    and older ones are stale. Not `standing`: it happened to each of the tickers, and holds until its next prediction.
    """

    sequence: Sequence
    status: Status
    since: datetime
    tickers: tuple[str, ...]
    standing: bool
    last_known: bool
    meaning: str
    next_step: str


class ExplainingMessage(msgspec.Struct, frozen=True, tag="explaining"):
    """How far an explanation of a ticker's prediction is, with each sentence as soon as it is checked. Not repeated
    after a disconnect: `explained` has it all."""

    sequence: Sequence
    progress: ExplainProgress


class ExplainedMessage(msgspec.Struct, frozen=True, tag="explained"):
    """The explanation of a ticker's prediction."""

    sequence: Sequence
    explanation: Explanation


class CompleteMessage(msgspec.Struct, frozen=True, tag="complete"):
    """Everything that was asked for was sent. Until then a broken connection begins anew, without `resume`;
    from then on a client can resume from the highest sequence that it has seen."""

    sequence: Sequence


class HeartbeatMessage(msgspec.Struct, frozen=True, tag="heartbeat"):
    """The connection lives, though nothing happened. As server-sent event it is a comment."""

    sequence: Sequence
    time: datetime


class ErrorMessage(msgspec.Struct, frozen=True, tag="error"):
    """A request that could not be met, as problem details (RFC 9457); the connection goes on, and listens to no more
    than before: where `subscribed` had said so already, it is said anew. Ask again, later where the status is 429
    or 5xx."""

    sequence: Sequence
    problem: dict[str, Any]


Sent = (
    SubscribedMessage
    | PredictionMessage
    | StatusMessage
    | ExplainingMessage
    | ExplainedMessage
    | CompleteMessage
    | HeartbeatMessage
    | ErrorMessage
)
