"""unibpf.host.logs: one JSON object a line off a terminal, one short line on it."""

import io
import json
import logging

from unibpf.host import logs


class Terminal(io.StringIO):
    def isatty(self):
        return True


def logged(stream, **extra):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure("deployer", stream=stream)
        logging.getLogger("x").info("guest %s", "g1", extra=extra)
    finally:
        root.handlers[:], root.level = handlers, level
    return stream.getvalue()


def test_a_line_is_json_with_its_fields():
    line = json.loads(logged(io.StringIO(), outcome="done", ms=1.5))
    assert (line["service"], line["message"], line["outcome"], line["ms"]) == ("deployer", "guest g1", "done", 1.5)


def test_a_line_on_a_terminal_is_text():
    assert logged(Terminal(), outcome="done") == "info: guest g1  outcome=done\n"


def test_an_exception_stays_on_its_line():
    error = ValueError("x")
    record = logging.makeLogRecord({"msg": "bad", "levelname": "ERROR", "exc_info": (ValueError, error, None)})
    line = logs.JsonFormatter("s").format(record)
    assert "\n" not in line and "ValueError" in line
