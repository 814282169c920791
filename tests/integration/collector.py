"""A collector of traces: takes OTLP over HTTP, and keeps what it is told."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from riskee.settings import Settings, TracingSettings


@dataclass(frozen=True)
class Told:
    """A span, and whose it is."""

    service: str
    span: Span

    @property
    def trace(self) -> str:
        return self.span.trace_id.hex()

    @property
    def parent(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def attributes(self) -> dict[str, str | int]:
        return {each.key: each.value.string_value or each.value.int_value for each in self.span.attributes}


@dataclass
class Collector:
    """What came."""

    url: str = ""
    spans: list[Told] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [Told(names["service.name"], span) for span in scope.spans]
        self.headers.append(headers)

    def traces(self) -> dict[str, list[Told]]:
        found: dict[str, list[Told]] = {}
        for told in self.spans:
            found.setdefault(told.trace, []).append(told)
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/x-protobuf"
            collector.take(gzip.decompress(body), {name.lower(): text for name, text in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the library)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def traced(settings: Settings, endpoint: str, ratio: float = 1.0) -> Settings:
    """The same settings with traces on."""
    tracing = TracingSettings(enabled=True, endpoint=endpoint, sample_ratio=ratio)
    return settings.model_copy(update={"tracing": tracing})
