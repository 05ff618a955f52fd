"""The programs that `make bench` measures end alike in every engine and natively, and do what they are named for."""

from contextlib import ExitStack

import pytest

from benchmarks import engines
from benchmarks.engines import PACKET, Program
from tests.support.programs.checksums import sums

XDP_DROP, XDP_PASS, XDP_TX = 1, 2, 3
VERDICTS = {"pass": XDP_PASS, "match": XDP_TX, "NAT": XDP_TX, "firewall": XDP_PASS, "rate limiter": XDP_DROP}


def fnv(data: bytes) -> int:
    state = 0xCBF29CE484222325
    for at in range(0, 64, 4):
        state = (state ^ int.from_bytes(data[at : at + 4], "little")) * 0x100000001B3 % (1 << 64)
    return state


@pytest.mark.parametrize("program", engines.PROGRAMS, ids=lambda program: program.name)
def test_all_engines_end_alike(program: Program) -> None:
    with ExitStack() as stack:
        ends = {name: timer(3) for name, timer in engines.timers(program, stack).items()}
    assert {engines.NATIVE, engines.JIT, engines.INTERPRETER} <= ends.keys()
    assert len({(one.code, one.packet) for one in ends.values()}) == 1
    verdict = VERDICTS.get(program.name) or (XDP_PASS if fnv(PACKET) & 1 else XDP_TX)
    assert ends[engines.JIT].code == verdict
    after = bytes.fromhex(ends[engines.JIT].packet)
    assert sums(PACKET) == sums(after) == (0xFFFF, 0xFFFF)
    assert (after[26:36] != PACKET[26:36]) == (program.name == "NAT")  # source address and port
