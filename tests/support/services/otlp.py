"""An OTLP/HTTP receiver of the tests' own: a thread that collects spans."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One span as it came over the wire; ids are hex."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    pid: int
    start_ns: int
    end_ns: int


class OtlpReceiver:
    """`with OtlpReceiver() as receiver:` then point `OTEL_EXPORTER_OTLP_ENDPOINT` at `receiver.endpoint`."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                receiver.spans += spans_of(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "OtlpReceiver":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def spans_of(request: ExportTraceServiceRequest) -> list[Span]:
    """Flatten a request."""
    found = []
    for resource_spans in request.resource_spans:
        attributes = {one.key: one.value for one in resource_spans.resource.attributes}
        service, pid = attributes["service.name"].string_value, attributes["process.pid"].int_value
        for scope in resource_spans.scope_spans:
            found += [
                Span(
                    trace_id=span.trace_id.hex(), span_id=span.span_id.hex(), parent_id=span.parent_span_id.hex(),
                    name=span.name, service=service, pid=pid,
                    start_ns=span.start_time_unix_nano, end_ns=span.end_time_unix_nano,
                )
                for span in scope.spans
            ]  # fmt: skip
    return found
