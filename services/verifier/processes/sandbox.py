"""Runs one piece of work in a forked child inside the fence: limits on CPU, memory, files and wall time, few system calls.

The child inherits warm imports, gets no file but its end of a socket, and ends by `os._exit`: no state survives it, and
whatever it does to itself (recursion, memory, endless loops) ends as a GaveUp in the parent. It may be forked before there is
anything to do: it prepares itself and waits for its question. Fork safety: only processes with a single thread fork one.
"""

import gc
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NoReturn

from services.verifier.errors import GaveUp
from unibpf.host import fence
from unibpf.host.fence import Limits

_READ: Final = 1 << 16
_PARENT: Final = 0  # the child's file: its question comes there, its answer goes there
_EXIT_MEMORY: Final = 3
_EXIT_CRASH: Final = 4
_HEAD: Final = 8  # the length of an answer goes before it: who has all of it need not wait for the end of the child


class Child:
    """One child for one question; whoever makes it calls `answer` at most once, and `close` in the end.

    `prepare` runs in the child at once, inside the limits; it must not see what strangers sent.
    """

    def __init__(
        self, work: Callable[[bytes], bytes], limits: Limits, *, prepare: Callable[[], object] = lambda: None
    ) -> None:
        self._limits = limits
        self._status: int | None = None
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(limits.wall_seconds)
        self._pid = os.fork()
        if self._pid == 0:
            _live(work, prepare, limits, theirs.fileno())
        theirs.close()

    @property
    def is_alive(self) -> bool:
        """Whether it waits for its question still: whoever needs memory may have killed it meanwhile."""
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def answer(self, question: bytes) -> bytes:
        """What `work` returns; raises GaveUp when it did not get that far. The child may still be ending."""
        said = self._ask(question)
        if said is None:
            raise GaveUp("frontend-time", f"reading the object took longer than {self._limits.wall_seconds:g} s")
        answer = said[_HEAD:]
        if len(said) < _HEAD or int.from_bytes(said[:_HEAD], "little") != len(answer):
            raise _ended(self.close(kill=False), self._limits)
        return answer

    def close(self, *, kill: bool = True) -> int:
        """Wait for its end; returns how it ended, as `os.waitstatus_to_exitcode` says it."""
        if self._status is None:
            self._socket.close()
            if kill:
                os.kill(self._pid, signal.SIGKILL)  # not yet waited for, so the number is still its own
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._status

    def _ask(self, question: bytes) -> bytes | None:
        """None when the wall clock's limit comes first; a child that died has an end of answer, and its status says why."""
        deadline = time.monotonic() + self._limits.wall_seconds
        try:
            self._socket.sendall(question)
            self._socket.shutdown(socket.SHUT_WR)
            return fence.collect(self._socket.fileno(), deadline, _HEAD + self._limits.answer_bytes)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        except TimeoutError:
            os.kill(self._pid, signal.SIGKILL)
            return None
        except fence.AnswerTooLongError as error:
            os.kill(self._pid, signal.SIGKILL)
            said = f"the answer of the process that reads objects is longer than {self._limits.answer_bytes} bytes"
            raise GaveUp("frontend-memory", said) from error


def run(work: Callable[[], bytes], limits: Limits) -> bytes:
    """Return what `work` returns; raises GaveUp when it did not get that far."""
    child = Child(lambda _: work(), limits)
    try:
        return child.answer(b"")
    finally:
        child.close()


def _live(work: Callable[[bytes], bytes], prepare: Callable[[], object], limits: Limits, parent: int) -> NoReturn:
    code = _EXIT_CRASH
    try:
        _confine(limits, parent)
        gc.disable()  # it ends before there is anything worth collecting
        prepare()
        answer = work(_read_all(_PARENT))
        _write_all(_PARENT, len(answer).to_bytes(_HEAD, "little"))
        _write_all(_PARENT, answer)
        os.close(
            _PARENT
        )  # or the end of the answer would be the end of this process, which gives back its memory first
        code = 0
    except MemoryError:
        code = _EXIT_MEMORY
    finally:
        os._exit(code)


def _confine(limits: Limits, parent: int) -> None:
    """Leave three files (the parent's socket, nothing, stderr) and no number for a fourth.

    The parent's own pipes must not stay open here: whoever waits for their end would wait for this child.
    """
    os.setsid()
    os.dup2(parent, _PARENT)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    fence.confine(replace(limits, files=3))


def _read_all(source: int) -> bytes:
    data = bytearray()
    while chunk := os.read(source, _READ):
        data += chunk
    return bytes(data)


def _write_all(writer: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(writer, view) :]


def _ended(status: int, limits: Limits) -> GaveUp:
    if status == _EXIT_MEMORY:
        return GaveUp("frontend-memory", f"reading the object took more than {(limits.memory_bytes or 0) >> 20} MiB")
    if status == -signal.SIGXCPU:
        return GaveUp("frontend-cpu", f"reading the object took more than {limits.cpu_seconds} s of CPU time")
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return GaveUp("frontend-crash", f"the process that reads objects ended with {how}")
