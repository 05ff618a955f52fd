"""A command's work on the bus: what it raises becomes one sentence, a rule, a hint and an exit code."""

import asyncio
import logging
import re
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import msgspec
from nats.errors import Error as NatsError

from unibpf.bus import (
    BusError,
    BusNotReady,
    BusUnavailable,
    PermissionDenied,
    RequestFailed,
    RequestTimeout,
)
from unibpf.cli.output import Exit, Failed
from unibpf.host import identity

T = TypeVar("T")

# A service's errors (ADR-32): what it cannot read or find is the call's fault, 409 is a guest's own no.
_EXITS: Final = {"400": Exit.USAGE, "404": Exit.USAGE, "409": Exit.REFUSED}
_RULE: Final = re.compile(r"([a-z][a-z0-9-]{1,40}): ")
UNREADABLE: Final = "what is stored cannot be read: a newer version may have written it"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; raises Failed."""
    # What the client library tells on the way (each try to connect) is in the exception that comes last.
    for name in ("unibpf.bus.connection.violations", "nats"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work)
    except KeyboardInterrupt as error:
        raise Failed(Exit.TIMEOUT, "interrupted", "what was asked for before goes on", rule="interrupted") from error
    except (BusError, NatsError, TimeoutError, identity.IdentityError, msgspec.MsgspecError) as error:
        raise failure(error) from error


def failure(error: Exception) -> Failed:  # noqa: PLR0911  one row a kind
    """What went wrong on the bus, as the end of a command."""
    match error:
        case identity.IdentityError():
            hint = "is the stack up? `unibpf up` makes the keys, `--state` says where they are"
            return Failed(Exit.UNREACHABLE, str(error), hint, rule="identity")
        case PermissionDenied():
            hint = "`--identity` chooses another key; the server's permissions are per identity"
            return Failed(Exit.USAGE, str(error), hint, rule="permission")
        case BusNotReady() | BusUnavailable():
            hint = "`unibpf up` starts the embedded stack, `unibpf status` shows what runs"
            return Failed(Exit.UNREACHABLE, str(error), hint)
        case RequestTimeout() | TimeoutError():
            return Failed(Exit.TIMEOUT, str(error) or "nobody answered in time", "`unibpf status` shows what runs")
        case RequestFailed():
            rule = _RULE.match(error.description, 0)
            code = _EXITS.get(error.code, Exit.UNREACHABLE)
            return Failed(code, error.description, rule=rule[1] if rule else None)
        case msgspec.MsgspecError():
            return Failed(Exit.USAGE, f"{UNREADABLE}: {error}", "use the newest `unibpf`", rule="unreadable")
    return Failed(Exit.UNREACHABLE, str(error) or type(error).__name__)
