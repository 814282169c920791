"""What is against each prediction of a wave, as flags."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from riskee.messaging.messages import Flag, Quote
from riskee.model.artifact import ModelArtifact
from serving.consumers.announced import Announced

Raised = bool | NDArray[np.bool_]
"""Whether a flag is raised: for all predictions of a wave, or for each."""

# The flags of every combination that was met; there are few.
_combinations: dict[bytes, tuple[Flag, ...]] = {}


def told_by(quotes: Sequence[Quote], announced: Announced, as_of: datetime, stale_after: float) -> dict[Flag, Raised]:
    """What the quotes of a wave say, of one feed and session, and what was announced of their tickers. `stale_after`
    is in seconds."""
    oldest = as_of - timedelta(seconds=stale_after) if math.isfinite(stale_after) else None
    final = np.array([quote.final for quote in quotes])
    outside = [announced.outside_session(quote.session_date, quote.data_time) for quote in quotes]
    return {
        Flag.REPLAY: quotes[0].feed.startswith("replay/"),
        Flag.PROVISIONAL_BAR: ~final,
        Flag.STALE: oldest is not None and np.array([quote.received_at < oldest for quote in quotes]),
        Flag.HALTED: bool(announced.halted) and np.array([quote.ticker in announced.halted for quote in quotes]),
        Flag.SESSION_CLOSED: final | np.array(outside),
    }


def told_by_model(artifact: ModelArtifact, quotes: Sequence[Quote]) -> dict[Flag, Raised]:
    """Whether the session of a wave is one that the model was trained on, or that it is too old for."""
    session = quotes[0].session_date
    return {Flag.MODEL_EXPIRED: artifact.has_expired(session), Flag.IN_SAMPLE: session <= artifact.trained_through}


def flags_of(raised: Mapping[Flag, Raised], count: int) -> list[tuple[Flag, ...]]:
    """The flags of each of `count` predictions, in the order of the declaration."""
    columns = np.empty((count, len(Flag)), np.bool_)
    for place, flag in enumerate(Flag):
        columns[:, place] = raised.get(flag, False)
    return [_combination(row) for row in map(bytes, columns)]


def _combination(row: bytes) -> tuple[Flag, ...]:
    known = _combinations.get(row)
    if known is None:
        known = _combinations[row] = tuple(flag for flag, is_raised in zip(Flag, row, strict=True) if is_raised)
    return known
