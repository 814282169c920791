"""Traces: where the time of a tick goes, from ingest to the WebSocket.

`open_tracer` in a composition root; what it gives has no cost where traces are off.
"""

from riskee.tracing.opening import open_tracer
from riskee.tracing.span import Span
from riskee.tracing.tracer import OFF, Tick, Tracer

__all__ = ["OFF", "Span", "Tick", "Tracer", "open_tracer"]
