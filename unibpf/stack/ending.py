"""Ending the stack of a state folder from outside (`unibpf down`)."""

import os
import signal
import time
from typing import Final

from unibpf.host.settings import StatePaths
from unibpf.stack import lock
from unibpf.stack.embedded import lock_file
from unibpf.stack.supervisor import start_time

POLL_SECONDS: Final = 0.05


def end_stack(paths: StatePaths, *, seconds: float) -> int | None:
    """End the stack that runs on this folder; its supervisor's pid, None where none ran. Raises TimeoutError.

    The one who holds the lock is asked, so a pid that was given to another process meanwhile cannot be met: the lock is the
    kernel's, and gone with its holder. It stops the services, then the server; guests go on.
    """
    path = lock_file(paths)
    pid = lock.holder(path)
    if pid is None:
        return None
    started = start_time(pid)
    if pid == 0 or started is None:
        raise TimeoutError(f"somebody holds `{path}` and has not said who he is")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while lock.holder(path) == pid or start_time(pid) == started:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the stack (pid {pid}) did not end within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    return pid
