"""The one way out of every command: whatever it raised becomes a sentence, a rule, a hint and an exit code.

People read `error: ...` and `hint: ...` on stderr. With `--json` the last line on stdout is one object that says the same
(`error`, `rule`, `hint`, `exit_code`), beside what the command found until then. A traceback is for whoever asks for one
(`UNIBPF_DEBUG`). SIGTERM ends a command as Ctrl-C does.
"""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final

from unibpf.cli.output import Exit, Failed, emit_json
from unibpf.text import visible, visible_lines

DEBUG: Final = "UNIBPF_DEBUG"


def end(work: Callable[[], Any], arguments: Sequence[str]) -> int:
    """Do a command's work; returns the exit code, after everything has been said."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    code = _done(work, json=wants_json(arguments))
    try:
        sys.stdout.flush()
    except OSError as error:  # what was said did not arrive: whoever read it went away, or the disk is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"error: the answer could not be written: {error.strerror}", file=sys.stderr)
        return code or int(Exit.USAGE)
    return code


def _done(work: Callable[[], Any], *, json: bool) -> int:
    try:
        work()
        sys.stdout.flush()
    except Failed as failed:
        return _say(failed, json=json)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except (Exception, KeyboardInterrupt) as error:  # the rim: nothing may get past it
        if os.environ.get(DEBUG):
            traceback.print_exc()
        return _say(failure(error), json=json)
    return int(Exit.OK)


def _say(failed: Failed, *, json: bool) -> int:
    with contextlib.suppress(OSError):  # then stdout is not there to say it on
        return say(failed, json=json)
    return int(failed.exit)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON, also one that cannot be parsed."""
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def say(failed: Failed, *, json: bool) -> int:
    """Tell people and, with `json`, programs; returns the exit code."""
    sys.stdout.flush()
    if not failed.is_said:
        kind = f"error[{failed.rule}]" if failed.names_rule else "error"
        print(f"{kind}: {visible_lines(failed.message)}", file=sys.stderr)
    if failed.has_hint and not failed.is_said:
        print(f"hint: {visible(failed.hint)}", file=sys.stderr)
    if json:
        emit_json(failed.document())
    return int(failed.exit)


def failure(error: BaseException) -> Failed:
    """What an exception that no command expected means."""
    if isinstance(error, KeyboardInterrupt):
        return Failed(Exit.TIMEOUT, "interrupted; what was asked for before goes on", rule="interrupted")
    if isinstance(error, OSError):
        place = f"`{error.filename}`: " if error.filename else ""
        return Failed(Exit.USAGE, f"{place}{error.strerror or error}", "can this user read and write it?", rule="file")
    if isinstance(error, UnicodeDecodeError):
        return Failed(Exit.USAGE, f"a file is no UTF-8 text: {error}", rule="file")
    return Failed(
        Exit.INTERNAL,
        f"unibpf itself failed: {type(error).__name__}: {error}",
        f"please report it, with what `{DEBUG}=1` shows in front of the same call",
    )
