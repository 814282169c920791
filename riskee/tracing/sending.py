"""The tracer of a process whose traces are on."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from riskee.clock import Clock
from riskee.tracing.hops import Hop
from riskee.tracing.sampling import sampler
from riskee.tracing.span import Span
from riskee.tracing.tracer import TickT


class Outbox(Protocol):
    """Takes spans away."""

    def put(self, span: Span) -> None:
        """Take a span, without waiting."""

    def close(self) -> None:
        """Send what waits, for a second at most."""


class SendingTracer:
    """Makes spans of the sampled ticks and hands them to what sends them."""

    def __init__(self, outbox: Outbox, clock: Clock, ratio: float) -> None:
        self._outbox = outbox
        self._clock = clock
        self.samples = sampler(ratio)

    @contextmanager
    def hop(self, hop: Hop, ticks: Iterable[TickT], since: Callable[[TickT], datetime] | None = None) -> Iterator[None]:
        """As `Tracer` says."""
        batch, sampled = 0, []
        for tick in ticks:
            batch += 1
            if self.samples(tick.quote_id):
                sampled.append(tick)
        began = self._clock.now()
        error = ""
        try:
            yield
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            ended = self._clock.now()
            for tick in sampled:
                trace = tick.quote_id
                parent = hop.parent.span_id(trace) if hop.parent else None
                about: dict[str, str | int] = {"riskee.ticker": tick.ticker, "riskee.batch": batch}
                start = since(tick) if since else began
                self.put(Span(trace, hop.span_id(trace), parent, hop.name, hop.kind, start, ended, about, error=error))

    def put(self, span: Span) -> None:
        """As `Tracer` says."""
        self._outbox.put(span)

    async def close(self) -> None:
        """As `Tracer` says."""
        await asyncio.to_thread(self._outbox.close)
