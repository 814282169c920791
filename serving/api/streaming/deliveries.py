"""From the hub to the first socket: the last hop of a tick's trace."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from riskee.clock import Clock
from riskee.messaging.messages import Prediction
from riskee.tracing import OFF, Span, Tracer
from riskee.tracing.hops import API_DELIVER, EVENT_PUBLISH
from serving.api.streaming.framing import Framing
from serving.api.streaming.update import Update

# Updates that nobody has got yet. Those that nobody listens to stay until they are the oldest of so many.
_MOST_EXPECTED = 256


class Deliveries:
    """Where traces are off: nothing is expected, and every socket is written to as ever."""

    def expect(self, update: Update, prediction: Prediction) -> None:
        """The hub tells of a prediction by this update."""

    def told(self, framing: Framing) -> Framing:
        """A framing that says which updates were written to its socket."""
        return framing


class _Expected(NamedTuple):
    prediction: Prediction
    since: datetime


class TracedDeliveries(Deliveries):
    """Tells the tracer when the first socket has got a prediction; the others are written to in the same turn."""

    def __init__(self, tracer: Tracer, clock: Clock, instance: UUID) -> None:
        self._tracer = tracer
        self._clock = clock
        self._instance = instance.hex
        # By the update itself: a snapshot may have the same sequence.
        self._expected: dict[Update, _Expected] = {}

    def expect(self, update: Update, prediction: Prediction) -> None:
        """As above; kept where the trace is sampled."""
        if not self._tracer.samples(prediction.quote_id):
            return
        if len(self._expected) >= _MOST_EXPECTED:
            del self._expected[next(iter(self._expected))]
        self._expected[update] = _Expected(prediction, self._clock.now())

    def told(self, framing: Framing) -> Framing:
        """As above."""

        def framed(updates: Sequence[Update]) -> bytes:
            written = framing(updates)
            if self._expected:
                self._delivered(updates)
            return written

        return framed

    def _delivered(self, updates: Sequence[Update]) -> None:
        for update in updates:
            expected = self._expected.pop(update, None)
            if expected is not None:
                self._tell(update, expected)

    def _tell(self, update: Update, expected: _Expected) -> None:
        trace = expected.prediction.quote_id
        # Every process of the API delivers, and the answer to a job delivers a prediction again.
        span_id = API_DELIVER.span_id(trace, f"{self._instance}:{update.sequence}")
        about: dict[str, str | int] = {
            "riskee.ticker": expected.prediction.ticker,
            "riskee.stream.sequence": update.sequence,
        }
        parent = EVENT_PUBLISH.span_id(trace)
        ended = self._clock.now()
        self._tracer.put(Span(trace, span_id, parent, API_DELIVER.name, API_DELIVER.kind, expected.since, ended, about))


def deliveries_of(tracer: Tracer, clock: Clock) -> Deliveries:
    """What tells a tracer of deliveries; nothing where traces are off."""
    return Deliveries() if tracer is OFF else TracedDeliveries(tracer, clock, uuid4())
