"""What it costs to sign a message and to check it: `python -m benchmarks.authority`."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from unibpf import subjects
from unibpf.authority.judge import Judge
from unibpf.authority.ring import Ring
from unibpf.authority.signing import signed
from unibpf.host import identity
from unibpf.host.identity import Identity

ROUNDS = 1000
SIZES = (1 << 10, 64 << 10, 512 << 10)


def median_us(work: Callable[[], object]) -> float:
    """The median of ROUNDS runs."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - started)
    return statistics.median(taken) / 1000


def costs(key: Identity, ring: Ring, size: int) -> tuple[float, float]:
    """To sign and to check one payload; each check is of another message, since what was checked once is remembered."""
    subject, data, judge = subjects.guest_apply("fw1"), bytes(size), Judge(ring)
    said = iter([signed(key, subject, data, {}) for _ in range(ROUNDS)])
    return (
        median_us(lambda: signed(key, subject, data, {})),
        median_us(lambda: judge.said_row(subjects.guest_apply, subject, data, next(said))),
    )


def main() -> None:
    """One line a size of payload."""
    with tempfile.TemporaryDirectory() as folder:
        key, ring = identity.create(Path(folder), "cli"), Ring(Path(folder))
        for size in SIZES:
            signing, checking = costs(key, ring, size)
            print(f"{size:>7} bytes: signed in {signing:.0f} µs, checked in {checking:.0f} µs")


if __name__ == "__main__":
    main()
