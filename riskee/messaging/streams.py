"""The JetStream streams: the owner's table, with its two wildcards mended (`*` matches one token only).

`event.model.promoted` travels on PREDICTIONS beside the predictions it changes, and a quote may carry the slot of its
ticker as a last token, so that several predictors can share the work.
"""

from dataclasses import dataclass
from datetime import timedelta

GIB = 1024**3
MIB = 1024**2


@dataclass(frozen=True)
class Stream:
    """A stream with file storage and limits retention; the oldest message goes first."""

    name: str
    subjects: tuple[str, ...]
    max_age: timedelta
    max_bytes: int
    purpose: str


STREAMS = (
    Stream("MARKET_DATA", ("data.market.*", "data.market.quote.*"), timedelta(days=7), 10 * GIB, "market quotes"),
    Stream("PREDICTIONS", ("event.prediction.*", "event.model.*"), timedelta(days=30), 5 * GIB, "prediction events"),
    Stream("EXPLANATIONS", ("thought.>",), timedelta(days=30), 2 * GIB, "explanations"),
    Stream("MODEL_METRICS", ("metrics.model.*",), timedelta(days=90), GIB, "model performance"),
    Stream("ROUTING", ("job.>",), timedelta(days=7), 512 * MIB, "job queue"),
    Stream("DEAD_LETTER", ("dead.>",), timedelta(days=30), 512 * MIB, "messages that could not be processed"),
)


def stream_of(subject: str) -> Stream:
    """The stream that captures a subject. Raises KeyError where none does."""
    for stream in STREAMS:
        if any(_captures(pattern, subject) for pattern in stream.subjects):
            return stream
    raise KeyError(subject)


def _captures(pattern: str, subject: str) -> bool:
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, tail = wanted[:-1], given[len(wanted) - 1 :]
        return len(tail) > 0 and all(w in ("*", g) for w, g in zip(wanted, given, strict=False))
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))
