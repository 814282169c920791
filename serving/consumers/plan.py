"""What is left to do of a batch of quotes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from riskee.messaging.messages import Quote
from serving.consumers.overlap import Overlap


@dataclass
class Plan:
    """The waves of a batch that are not predicted yet, and the results that are not published yet.

    It outlives a failure while the batch stays the same: the state has gone on, so what was computed before it cannot
    be computed again without looking ahead. Where messages that were late are added to the batch, that is accepted: a
    new plan predicts what was not published from the state as it is by then.
    """

    batch: Sequence[Quote]
    waves: deque[Sequence[Quote]]
    publishing: Overlap = field(default_factory=Overlap)
