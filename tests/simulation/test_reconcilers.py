"""Random lives of a fleet: no guest ends unasked, none gets what it refused, all converge, and each runs on one host.

`UNIBPF_LIVES` is how many (`make chaos`: 100,000), `UNIBPF_SEED` the first; a life that breaks a rule is named by its seed.
"""

import os

import pytest

from tests.simulation.schedule import BrokenError, Life

LIVES = int(os.environ.get("UNIBPF_LIVES", "2000"))
FIRST = int(os.environ.get("UNIBPF_SEED", "1"))


def test_every_life_keeps_the_rules_and_converges() -> None:
    for seed in range(FIRST, FIRST + LIVES):
        try:
            Life(seed).run()
        except BrokenError as broken:
            pytest.fail(f"seed {seed}\n{broken}")
