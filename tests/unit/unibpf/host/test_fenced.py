"""unibpf.host.fenced with real processes: what they are asked, what they may say, and how they end."""

import os
import signal
import sys

import pytest

from unibpf.host import fenced
from unibpf.host.fence import AnswerTooLongError, Limits


async def test_a_program_is_limited_asked_and_answers() -> None:
    limits = Limits(cpu_seconds=30, wall_seconds=60.0, file_bytes=4096, files=16)
    script = "import resource, sys; print(sys.stdin.read(), resource.getrlimit(resource.RLIMIT_NOFILE)); sys.exit(3)"
    ended = await fenced.ask([sys.executable, "-c", script], b"?", limits)
    assert (ended.status, ended.output) == (3, b"? (16, 16)\n")


async def test_the_next_process_waits_for_its_question_and_is_not_missed_when_it_dies() -> None:
    ahead, limits = fenced.Ahead(quiet=0.0), Limits(memory_bytes=None, wall_seconds=60.0, files=16)
    script = ["/bin/sh", "-c", "read word; echo $$ $word"]
    try:
        found = []
        for word in (b"one", b"two", b"three"):
            ended = await ahead.ask(script, word + b"\n", limits)
            pid, said = ended.output.split()
            assert (ended.status, said) == (0, word)
            found.append((int(pid), ahead._waiting))
            await ahead._starting
            if word == b"two":
                os.kill(ahead._waiting[1].pid, signal.SIGKILL)
                await ahead._waiting[1].wait()
    finally:
        await ahead.close()
    assert ahead._waiting is None and len({pid for pid, _ in found}) == 3


async def test_a_process_that_waits_is_asked_only_what_it_was_started_for() -> None:
    ahead, limits = fenced.Ahead(quiet=0.0), Limits(memory_bytes=None, wall_seconds=60.0, files=16)
    try:
        assert (await ahead.ask(["/bin/echo", "a"], b"", limits)).output == b"a\n"
        await ahead._starting
        waiting = ahead._waiting[1]
        assert (await ahead.ask(["/bin/echo", "b"], b"", limits)).output == b"b\n"
        await waiting.wait()
    finally:
        await ahead.close()


async def test_an_answer_has_an_end() -> None:
    limits = Limits(memory_bytes=None, answer_bytes=1000, wall_seconds=60.0)
    with pytest.raises(AnswerTooLongError):
        await fenced.ask(["/usr/bin/yes"], b"", limits)


async def test_who_does_not_answer_in_time_is_ended() -> None:
    with pytest.raises(TimeoutError):
        await fenced.ask(["/usr/bin/sleep", "600"], b"", Limits(memory_bytes=None, wall_seconds=0.5))


async def test_of_too_much_said_the_end_is_kept() -> None:
    process = await fenced.start(
        ["/usr/bin/seq", "100000"], Limits(memory_bytes=None, file_bytes=1 << 20), environment={}
    )
    try:
        assert await fenced.tail(process.stdout, 7) == b"100000\n"
    finally:
        await fenced.end(process)
