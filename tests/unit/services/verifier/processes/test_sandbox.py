"""processes/sandbox.py and worker.py: whatever the work does to itself, the caller gets an answer or a GaveUp."""

import asyncio
import ctypes
import os
import signal
import time
from pathlib import Path

import pytest

from services.verifier.errors import GaveUp
from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Options
from services.verifier.processes import worker
from services.verifier.processes.sandbox import Child, run
from tests.support.programs.bad_objects import make
from tests.support.programs.programs import compiled
from unibpf.formats import bundle as bundles
from unibpf.host.fence import Limits

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


def new_child_of(pid: int, known: list[int]) -> int | None:
    """One that still ends after its answer is a child, too."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return next((child for child in children if child not in known), None)


def has_ended(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


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


def test_an_answer_without_end_is_cut() -> None:
    limits = Limits(answer_bytes=1 << 20)
    assert len(run(lambda: bytes(1 << 20), limits)) == 1 << 20
    with pytest.raises(GaveUp, match="longer than 1048576 bytes"):
        run(lambda: bytes((1 << 20) + 1), limits)


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


def test_a_child_prepares_itself_before_its_question_comes() -> None:
    prepared: list[bytes] = []
    child = Child(lambda question: question + b" " + prepared[0], TIGHT, prepare=lambda: prepared.append(b"answered"))
    assert child.is_alive
    assert child.answer(b"asked" * 100_000) == b"asked" * 100_000 + b" answered"
    child.close()
    assert prepared == []  # in the child, not here


def test_what_a_child_spends_on_its_preparation_counts_too() -> None:
    child = Child(lambda _: b"", TIGHT, prepare=burn)
    with pytest.raises(GaveUp) as caught:
        child.answer(b"x" * 10_000_000)
    child.close()
    assert caught.value.rule == "frontend-cpu"


def test_a_child_that_was_killed_before_its_question_is_known_to_be_dead() -> None:
    child = Child(lambda question: question, TIGHT)
    os.kill(child._pid, signal.SIGKILL)
    while child.is_alive:
        time.sleep(0.01)
    assert child.close() == -signal.SIGKILL


def test_a_child_that_ends_within_its_answer_has_not_answered() -> None:
    def half() -> bytes:
        os.write(0, (1 << 20).to_bytes(8, "little") + b"half of it")
        os._exit(0)

    assert rule_of(half, TIGHT) == "frontend-crash"


class TestWorker:
    def test_the_sample_is_a_whole_program_with_a_map(self) -> None:
        translation = frontend.answer(worker.SAMPLE.read_bytes(), Options()).translation
        assert translation is not None
        bundle = bundles.decode(translation.bundle)
        assert (bundle.name, [one.name for one in bundle.maps]) == ("firewall", ["rule_hits"])

    async def test_the_child_for_the_next_object_is_there_before_it_and_not_missed_when_it_dies(self) -> None:
        pool = worker.Pool(size=1, wall_seconds=20)
        await pool.warm()
        process = pool._free.get_nowait()
        assert process is not None
        pool._free.put_nowait(process)
        waiting: list[int] = []
        for _ in range(3):
            async with asyncio.timeout(10):
                while (child := new_child_of(process.pid, waiting)) is None:
                    await asyncio.sleep(0.01)
            waiting.append(child)
            if len(waiting) == 2:
                os.kill(child, signal.SIGKILL)
                while not has_ended(child):
                    await asyncio.sleep(0.01)
            answer = await pool.translate(compiled("maps"), Options())
            assert answer.translation is not None
        await pool.close()
        assert len(set(waiting)) == 3  # a child answers once

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
