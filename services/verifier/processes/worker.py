"""The warm process that runs the front end: imports once, then has a limited child for every object.

    service  --frame(Request)-->  worker (this module, single-threaded)  --Request-->  child (sandbox): frontend.answer
             <--frame(Reply)---                                          <--Answer---

A frame is a length of four bytes, little endian, and that many bytes of MessagePack. The worker itself never parses an
object. When it dies all the same, the pool starts another one and the object at hand gives up.

While nothing is asked, the next child is forked and translates `sample.o` (our own firewall, so no stranger's bytes): a fresh
fork would spend three quarters of an object's time on its first use of every page and on code that has not run yet.
"""

import asyncio
import contextlib
import gc
import os
import select
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from services.verifier.errors import GaveUp
from services.verifier.frontend import frontend
from services.verifier.frontend.elf import MAX_OBJECT
from services.verifier.processes import sandbox
from unibpf.host import fence

MAX_FRAME: Final = MAX_OBJECT + (1 << 16)
MAX_REPLY: Final = 256 << 20
SAMPLE: Final = Path(__file__).with_name("sample.o")
QUIET_SECONDS: Final = 0.1  # the object before is being analysed meanwhile, which is not to be disturbed
_ENVIRONMENT: Final = (
    "PATH",
    "PYTHONPATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "UNIBPF_BIN",
)  # children inherit the rest: none of it
_HEAD: Final = 4


class Request(Struct, frozen=True):
    """One object to translate."""

    data: bytes
    options: frontend.Options


class Reply(Struct, frozen=True):
    """Either an answer (as the child wrote it: a frontend.Answer), or the rule and message of a GaveUp."""

    answer: bytes | None = None
    rule: str = ""
    message: str = ""


# --- in the worker --------------------------------------------------------------------------------------------------------


def serve(source: BinaryIO, sink: BinaryIO, limits: fence.Limits) -> None:
    """Answer requests until the source ends."""
    sample = SAMPLE.read_bytes()
    gc.collect()
    gc.freeze()  # or the first collection in every child would copy all the pages that it shares with this process
    ready: sandbox.Child | None = None
    try:
        while True:
            ready = ready or _prepared(source, limits, sample)
            head = source.read(_HEAD)
            if not head:
                return
            size = int.from_bytes(head, "little")
            if size > MAX_FRAME:
                raise ValueError(f"frame is too large: got {size} bytes, expected at most {MAX_FRAME}")
            child, ready = _living(ready) or sandbox.Child(_answer, limits), None
            try:
                body = msgspec.msgpack.encode(_reply(child, source.read(size)))
                sink.write(len(body).to_bytes(_HEAD, "little") + body)
                sink.flush()
            finally:
                child.close()
    finally:
        if ready is not None:
            ready.close()


def _prepared(source: BinaryIO, limits: fence.Limits, sample: bytes) -> sandbox.Child | None:
    """A child for the next object, or None where that has come already. Between two requests nothing is buffered."""
    if select.select([source], [], [], QUIET_SECONDS)[0]:
        return None
    return sandbox.Child(_answer, limits, prepare=lambda: frontend.answer(sample, frontend.Options()))


def _living(child: sandbox.Child | None) -> sandbox.Child | None:
    """None where there was none, or where it did not live until it was needed."""
    if child is None or child.is_alive:
        return child
    child.close()
    return None


def _reply(child: sandbox.Child, frame: bytes) -> Reply:
    try:
        return Reply(answer=child.answer(frame))
    except GaveUp as error:
        return Reply(rule=error.rule, message=str(error))


def _answer(frame: bytes) -> bytes:
    request = msgspec.msgpack.decode(frame, type=Request)
    return msgspec.msgpack.encode(frontend.answer(request.data, request.options))


def limited(data: bytes, options: frontend.Options, limits: fence.Limits) -> frontend.Answer:
    """Run the front end in a limited child of this process, which must have a single thread; raises GaveUp."""
    body = sandbox.run(lambda: msgspec.msgpack.encode(frontend.answer(data, options)), limits)
    return msgspec.msgpack.decode(body, type=frontend.Answer)


def limited_choices(data: bytes, options: frontend.Options, limits: fence.Limits) -> list[frontend.Options]:
    """List the object's programs in such a child; raises GaveUp."""
    body = sandbox.run(lambda: msgspec.msgpack.encode(frontend.choices(data, options)), limits)
    return msgspec.msgpack.decode(body, type=list[frontend.Options])


def limited_answers(
    data: bytes, options: frontend.Options, limits: fence.Limits
) -> dict[frontend.Options, frontend.Answer]:
    """Translate all of the object's programs in one such child; empty where that takes more than one child may."""
    try:
        body = sandbox.run(lambda: msgspec.msgpack.encode(frontend.answers(data, options)), limits)
    except GaveUp:
        return {}
    return dict(msgspec.msgpack.decode(body, type=list[tuple[frontend.Options, frontend.Answer]]))


# --- in the service -------------------------------------------------------------------------------------------------------


class Pool:
    """A few workers, started when first needed; `translate` waits for a free one."""

    def __init__(self, *, size: int, wall_seconds: float) -> None:
        self._free: asyncio.LifoQueue[asyncio.subprocess.Process | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)
        self._patience = wall_seconds
        self._warming: asyncio.Task[None] | None = None

    async def translate(self, data: bytes, options: frontend.Options) -> frontend.Answer:
        """Return the front end's answer; raises GaveUp."""
        if len(data) > MAX_OBJECT:
            return frontend.answer(data, options)  # refused by its size alone, nothing is read
        async with self._worker() as process:
            reply = await asyncio.wait_for(_ask(process, Request(data, options)), self._patience)
            if reply.answer is not None:
                return msgspec.msgpack.decode(reply.answer, type=frontend.Answer)
        raise GaveUp(reply.rule, reply.message)

    async def warm(self) -> None:
        """Start a worker and let it finish its imports, so that the first object finds it ready."""
        await self.translate(b"", frontend.Options())

    async def lacking(self) -> str | None:
        """Why nothing can be translated now, or None. One warm-up at a time, which goes on when nobody waits any more."""
        if self._warming is None:
            self._warming = asyncio.create_task(self.warm(), name="warm up the front end")
        try:
            await asyncio.shield(self._warming)
        except GaveUp as error:
            self._warming = None
            return str(error)
        return None

    async def close(self) -> None:
        """End all free workers; call it when no translation is under way."""
        while not self._free.empty():
            process = self._free.get_nowait()
            if process is not None:
                await _end(process)

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await self._free.get()
        keep: asyncio.subprocess.Process | None = None
        try:
            if process is None or process.returncode is not None:
                process = await _start()
            yield process
            keep = process
        except (TimeoutError, OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
            self._warming = None  # the next look tries whether another one does
            raise GaveUp("frontend-crash", f"the process that reads objects failed: {error!r}") from error
        finally:
            if keep is None and process is not None:
                await _end(process)
            self._free.put_nowait(keep)


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __spec__.name,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def _ask(process: asyncio.subprocess.Process, request: Request) -> Reply:
    if process.stdin is None or process.stdout is None:
        raise AssertionError("workers are started with pipes")
    body = msgspec.msgpack.encode(request)
    process.stdin.write(len(body).to_bytes(_HEAD, "little") + body)
    await process.stdin.drain()
    size = int.from_bytes(await process.stdout.readexactly(_HEAD), "little")
    if size > MAX_REPLY:
        raise ValueError(f"reply is too large: got {size} bytes, expected at most {MAX_REPLY}")
    return msgspec.msgpack.decode(await process.stdout.readexactly(size), type=Reply)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, fence.Limits())
