"""services/verifier/sandbox.py and worker.py: whatever the work does to itself, the caller gets an answer or a GaveUp."""

import ctypes
import os
import time
from pathlib import Path

import pytest

from services.verifier import worker
from services.verifier.errors import GaveUp
from services.verifier.frontend import Options
from services.verifier.sandbox import Limits, run
from tests.support.bad_objects import make
from tests.support.programs import compiled

TIGHT = Limits(cpu_seconds=1, wall_seconds=3.0, memory_bytes=1 << 30)


def burn() -> bytes:
    while True:
        pass


def sleep() -> bytes:
    time.sleep(60)
    return b""


def crash() -> bytes:
    ctypes.string_at(0)
    return b""


def swallow_memory() -> bytes:
    return bytes(4 << 30)


def recurse() -> bytes:
    return recurse()


def rule_of(work: object, limits: Limits) -> str:
    with pytest.raises(GaveUp) as caught:
        run(work, limits)  # type: ignore[arg-type]
    return caught.value.rule


def test_the_answer_comes_back() -> None:
    assert run(lambda: b"x" * 300_000, TIGHT) == b"x" * 300_000


def test_endless_computing_ends_at_the_cpu_limit() -> None:
    assert rule_of(burn, TIGHT) == "frontend-cpu"


def test_endless_waiting_ends_at_the_wall_clock() -> None:
    started = time.monotonic()
    assert rule_of(sleep, Limits(wall_seconds=0.2)) == "frontend-time"
    assert time.monotonic() - started < 2


def test_too_much_memory_is_said_so() -> None:
    assert rule_of(swallow_memory, TIGHT) == "frontend-memory"


@pytest.mark.parametrize("work", [crash, recurse])
def test_a_crash_is_a_crash_of_the_child_only(work: object) -> None:
    assert rule_of(work, TIGHT) == "frontend-crash"


def test_files_cannot_be_opened_or_written(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with target.open("wb") as file:
        descriptor = file.fileno()
        attempts = {
            "open": lambda: Path("/etc/hostname").read_bytes(),
            "write": lambda: str(os.write(descriptor, b"x")).encode(),
        }
        for attempt in attempts.values():
            assert rule_of(attempt, TIGHT) == "frontend-crash"
    assert target.read_bytes() == b""


class TestWorker:
    async def test_a_worker_translates_one_object_after_the_other(self) -> None:
        pool = worker.Pool(size=1, wall_seconds=20)
        good = await pool.translate(compiled("maps"), Options())
        bad = await pool.translate(make("btf-magic-wrong"), Options())
        again = await pool.translate(compiled("maps"), Options())
        await pool.close()
        assert good.translation is not None
        assert bad.finding is not None
        assert again == good

    async def test_a_warm_worker_adds_little_time(self) -> None:
        pool = worker.Pool(size=1, wall_seconds=20)
        await pool.warm()
        times = []
        for _ in range(9):
            started = time.perf_counter()
            await pool.translate(compiled("parse"), Options())
            times.append(time.perf_counter() - started)
        await pool.close()
        assert sorted(times)[4] < 0.05, "a fork, a parse and two pipes; 10 ms on a quiet machine"

    async def test_a_worker_that_died_is_replaced(self) -> None:
        pool = worker.Pool(size=1, wall_seconds=20)
        await pool.warm()
        victim = pool._free.get_nowait()
        assert victim is not None
        victim.kill()
        pool._free.put_nowait(victim)
        with pytest.raises(GaveUp) as caught:
            await pool.translate(compiled("pass"), Options())
        assert caught.value.rule == "frontend-crash"
        assert (await pool.translate(compiled("pass"), Options())).translation is not None
        await pool.close()

    async def test_an_object_above_the_cap_never_reaches_a_worker(self) -> None:
        pool = worker.Pool(size=1, wall_seconds=20)
        answer = await pool.translate(make("above-the-size-cap"), Options())
        await pool.close()
        assert answer.finding is not None
        assert answer.finding.rule == "object-size"
