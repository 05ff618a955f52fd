"""Log lines on stderr: JSON off a terminal, one short line on it. Fields given as `extra` and the trace id come along.

`configure` is called once, by a process's `__main__`. One operation writes one canonical line at its end, with its outcome
and its milliseconds; seeds and keys never appear, for the types that hold them leave them out of `repr`.
"""

import json
import logging
import sys
from typing import IO, Any, Final

from unibpf import tracing
from unibpf.text import visible, visible_lines

_PLAIN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(service: str, *, level: int = logging.INFO, stream: IO[str] = sys.stderr) -> None:
    """Send every log line of this process to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if stream.isatty() else JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("nats").setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": record.created,
            "level": record.levelname.lower(),
            "service": self._service,
            "message": record.getMessage(),
            **_fields(record),
        }
        trace_id = tracing.trace_id()
        if trace_id:
            line["trace_id"] = trace_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str).replace("\x7f", "\\u007f")  # DEL is ASCII to JSON


class TextFormatter(logging.Formatter):
    """`level: message  field=value ...` for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = "".join(f"  {key}={value}" for key, value in _fields(record).items())
        text = visible(f"{record.levelname.lower()}: {record.getMessage()}{fields}")
        return f"{text}\n{visible_lines(self.formatException(record.exc_info))}" if record.exc_info else text


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _PLAIN}
