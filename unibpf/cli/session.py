"""The one place where exceptions become messages and exit codes."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from unibpf.bus import (
    BusError,
    BusNotReady,
    BusUnavailable,
    PermissionDenied,
    RequestFailed,
    RequestTimeout,
)
from unibpf.cli.output import Exit, fail
from unibpf.host import identity

T = TypeVar("T")

# A service's errors (ADR-32): what it cannot read or find is the call's fault, 409 is a guest's own no.
_EXITS: Final = {"400": Exit.USAGE, "404": Exit.USAGE, "409": Exit.REFUSED}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; what it raises becomes one sentence, a hint and an exit code."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        fail(Exit.TIMEOUT, "interrupted; what was published goes on")
    except identity.IdentityError as error:
        fail(Exit.UNREACHABLE, str(error), "is the stack up? `unibpf up` makes the keys, `--state` says where they are")
    except PermissionDenied as error:
        fail(Exit.USAGE, str(error), "`--identity` chooses another key; the server's permissions are per identity")
    except (BusNotReady, BusUnavailable) as error:
        fail(Exit.UNREACHABLE, str(error), "`unibpf up` starts the embedded stack, `unibpf status` shows what runs")
    except (RequestTimeout, TimeoutError) as error:
        fail(Exit.TIMEOUT, str(error) or "nobody answered in time", "`unibpf status` shows what runs")
    except RequestFailed as error:
        fail(_EXITS.get(error.code, Exit.UNREACHABLE), error.description)
    except BusError as error:
        fail(Exit.UNREACHABLE, str(error))
