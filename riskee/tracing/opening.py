"""Opening the tracer of a process."""

from collections.abc import Callable
from uuid import UUID, uuid4

from riskee.clock import Clock
from riskee.settings import TracingSettings
from riskee.tracing.tracer import OFF, Tracer


def open_tracer(settings: TracingSettings, service: str, clock: Clock, new_id: Callable[[], UUID] = uuid4) -> Tracer:
    """The tracer of a service. Only where traces are on OpenTelemetry's SDK is imported, and a thread begun that
    sends."""
    if not settings.enabled:
        return OFF
    from riskee.tracing.export import Export
    from riskee.tracing.sending import SendingTracer

    return SendingTracer(Export(settings, service, new_id().hex), clock, settings.sample_ratio)
