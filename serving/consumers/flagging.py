"""What is against each prediction of a wave, as flags."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from riskee.messaging.messages import Flag, Quote
from riskee.model.artifact import ModelArtifact
from serving.consumers.announced import Announced

Raised = bool | NDArray[np.bool_]
"""Whether a flag is raised: for all predictions of a wave, or for each."""

_FLAGS = tuple(Flag)
# The flags of every combination that was met, which is a number with a bit for each; there are few.
_combinations: dict[int, tuple[Flag, ...]] = {}


def told_by(quotes: Sequence[Quote], announced: Announced, as_of: datetime, stale_after: float) -> dict[Flag, Raised]:
    """What the quotes of a wave say, of one feed and session, and what was announced of their tickers. `stale_after`
    is in seconds."""
    oldest = as_of - timedelta(seconds=stale_after) if math.isfinite(stale_after) else None
    final = np.array([quote.final for quote in quotes])
    outside = announced.outside(quotes[0].session_date, [quote.data_time for quote in quotes])
    return {
        Flag.REPLAY: quotes[0].feed.startswith("replay/"),
        Flag.PROVISIONAL_BAR: ~final,
        Flag.STALE: oldest is not None and np.array([quote.received_at < oldest for quote in quotes]),
        Flag.HALTED: bool(announced.halted) and np.array([quote.ticker in announced.halted for quote in quotes]),
        Flag.SESSION_CLOSED: final | np.array(outside),
    }


def told_by_model(artifact: ModelArtifact, session: date) -> dict[Flag, Raised]:
    """Whether a session is one that the model was trained on, or that it is too old for."""
    return {Flag.MODEL_EXPIRED: artifact.has_expired(session), Flag.IN_SAMPLE: session <= artifact.trained_through}


def bits_of(raised: Mapping[Flag, Raised], count: int) -> NDArray[np.int64]:
    """The flags of each of `count` predictions, as numbers with a bit for each flag."""
    bits = np.zeros(count, np.int64)
    for place, flag in enumerate(_FLAGS):
        if (is_raised := raised.get(flag, False)) is not False:
            bits |= np.int64(1 << place) * is_raised
    return bits


def flags_of(bits: NDArray[np.int64]) -> list[tuple[Flag, ...]]:
    """The flags of each prediction, in the order of the declaration."""
    return [_combinations.get(each) or _combination(each) for each in bits.tolist()]


def _combination(bits: int) -> tuple[Flag, ...]:
    return _combinations.setdefault(bits, tuple(flag for place, flag in enumerate(_FLAGS) if bits >> place & 1))
