"""Sending spans by OTLP over HTTP, in a thread of the SDK. Whoever makes spans never waits for it.

OpenTelemetry is imported here and nowhere else.
"""

import logging
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Protocol

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from riskee.logs import get_logger
from riskee.settings import TracingSettings
from riskee.telemetry import TRACE_SPANS
from riskee.tracing.hops import Kind
from riskee.tracing.span import Span

# What may wait to be sent: some MiB. What comes while so many wait is dropped.
MOST_WAITING = 4096
_BATCH = 512
_PAUSE_MILLISECONDS = 1000
_REQUEST_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_KINDS = {
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.PRODUCER: SpanKind.PRODUCER,
    Kind.CONSUMER: SpanKind.CONSUMER,
}
_SENT, _LOST, _DROPPED = (TRACE_SPANS.labels(end) for end in ("sent", "lost", "dropped"))


class _Settled(Protocol):
    def __call__(self, spans: int, *, sent: bool) -> None: ...


class Export:
    """The way of this process' spans to the collector."""

    def __init__(self, settings: TracingSettings, service: str, instance: str) -> None:
        # It says the same of every batch; what we say of the first failure and of the end of it is enough.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        nothing = NoOpMeterProvider()
        self._exporter = OTLPSpanExporter(
            endpoint=settings.endpoint,
            headers={name: value.get_secret_value() for name, value in settings.headers.items()},
            certificate_file=os.environ.get("SSL_CERT_FILE"),
            timeout=_REQUEST_SECONDS,
            compression=Compression.Gzip,
            meter_provider=nothing,
        )
        self._processor = BatchSpanProcessor(
            _Judged(self._exporter, self._settle),
            # Its own bound drops the oldest without a word, so ours comes before it.
            max_queue_size=2 * MOST_WAITING,
            schedule_delay_millis=_PAUSE_MILLISECONDS,
            max_export_batch_size=_BATCH,
            meter_provider=nothing,
        )
        self._resource = Resource(
            {
                "service.name": f"{settings.service_name}-{service}",
                "service.namespace": settings.service_name,
                "service.instance.id": instance,
                "service.version": version("riskee"),
            }
        )
        self._scope = InstrumentationScope("riskee", version("riskee"))
        self._lock = threading.Lock()
        self._waiting = 0
        # The thread that sends does not know what the process' lines carry.
        self._log = get_logger(__name__).bind(service=service)
        self._failing = False

    def put(self, span: Span) -> None:
        """Take a span; where too many wait it is dropped, and counted."""
        with self._lock:
            if self._waiting >= MOST_WAITING:
                _DROPPED.inc()
                return
            self._waiting += 1
        self._processor.on_end(self._finished(span))

    def close(self) -> None:
        """Send what waits, for a second at most; then the process may end, and its thread with it."""
        ending = threading.Thread(target=self._processor.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)
        if ending.is_alive():
            # Ends its pauses between attempts; a request that hangs is left to the end of the process.
            self._exporter.shutdown()  # type: ignore[no-untyped-call]
            self._log.warning("traces are lost: the collector takes too long", spans=self._waiting)

    def _settle(self, spans: int, *, sent: bool) -> None:
        """In the thread that sends: a batch has come to its end."""
        with self._lock:
            self._waiting -= spans
        (_SENT if sent else _LOST).inc(spans)
        if sent and self._failing:
            self._log.info("the collector takes traces again")
        elif not (sent or self._failing):
            self._log.warning("the collector does not take traces; they are lost, nothing else", next_step=_NEXT_STEP)
        self._failing = not sent

    def _finished(self, span: Span) -> ReadableSpan:
        """As the SDK has it. It is put together here, not made by the SDK's tracer, for that one chooses the ids."""
        trace = span.trace.int
        context = SpanContext(trace, span.span_id, is_remote=False, trace_flags=_SAMPLED)
        parent = None
        if span.parent_id is not None:
            parent = SpanContext(trace, span.parent_id, is_remote=True, trace_flags=_SAMPLED)
        links = (Link(SpanContext(*span.link, is_remote=True)),) if span.link else ()
        return ReadableSpan(
            span.name,
            context,
            parent,
            self._resource,
            span.attributes,
            links=links,
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=_nanoseconds(span.began),
            end_time=_nanoseconds(span.ended),
            instrumentation_scope=self._scope,
        )


_NEXT_STEP = "see that RISKEE_TRACING__ENDPOINT takes OTLP over HTTP, with its path, /v1/traces; else switch traces off"


class _Judged(SpanExporter):
    """Says of every batch whether it was sent."""

    def __init__(self, exporter: SpanExporter, settled: _Settled) -> None:
        self._exporter = exporter
        self._settled = settled

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As the SDK asks."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._settled(len(spans), sent=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """As the SDK asks."""
        self._exporter.shutdown()


def _nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1000
