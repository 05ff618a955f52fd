"""A command's connection to the bus, and the one place where exceptions become messages and exit codes."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from unibpf import tracing
from unibpf.bus import (
    Bus,
    BusError,
    BusNotReady,
    BusSettings,
    BusUnavailable,
    PermissionDenied,
    RequestFailed,
    RequestTimeout,
)
from unibpf.bus.permissions import CLI
from unibpf.cli.output import Exit, fail
from unibpf.host import identity
from unibpf.host.settings import StatePaths, nats_url

T = TypeVar("T")

# A service's errors (ADR-32): what it cannot read or find is the call's fault, 409 is a guest's own no.
_EXITS: Final = {"400": Exit.USAGE, "404": Exit.USAGE, "409": Exit.REFUSED}


def state_paths() -> StatePaths:
    """The state directory of this call."""
    return StatePaths.from_environment(os.environ)


@asynccontextmanager
async def open_bus(name: str = CLI) -> AsyncIterator[Bus]:
    """A connection under identity `name`, whose key lies in the state directory or in `$UNIBPF_NKEY_FILE`."""
    paths = state_paths()
    tracing.init(name)
    key_file = os.environ.get("UNIBPF_NKEY_FILE")
    directory = Path(key_file).parent if key_file else paths.keys
    settings = BusSettings(
        url=nats_url(os.environ, paths), identity=identity.load(directory, Path(key_file).stem if key_file else name)
    )
    async with await Bus.connect(settings) as bus:
        yield bus


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
