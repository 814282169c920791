"""What is left to do of a batch of quotes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from riskee.messaging.messages import Quote
from serving.consumers.overlap import Overlap


@dataclass
class Plan:
    """The waves of a batch that are not predicted yet, and the results that are not published yet.

    It outlives a failure: the state has gone on, so what was computed before it cannot be computed again without
    looking ahead.
    """

    batch: Sequence[Quote]
    waves: deque[Sequence[Quote]]
    publishing: Overlap = field(default_factory=Overlap)
