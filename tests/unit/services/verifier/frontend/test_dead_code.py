"""frontend/dead_code.py: code that constants rule out. Programs are lists of (opcode, dst, src, offset, imm)."""

import pytest

from services.verifier.frontend import frontend
from services.verifier.frontend.dead_code import Address, unreached
from services.verifier.frontend.frontend import Options
from tests.support.programs.programs import compiled
from unibpf.formats import bundle
from unibpf.push import loading

EXIT = (0x95, 0, 0, 0, 0)
SECOND = (0, 0, 0, 0, 0)
FLAGS = {7: bytes([0, 1, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])}
Insn = tuple[int, int, int, int, int]


def dead(*code: Insn, loads: dict[int, Address | None] | None = None, steps: int | None = None) -> set[int]:
    slots = [(opcode, dst | src << 4, offset, imm) for opcode, dst, src, offset, imm in code]
    return unreached(slots, loads if loads is not None else {0: Address(7, 0)}, FLAGS, steps=steps)


def load(offset: int = 0, opcode: int = 0x71) -> list[Insn]:
    """r1 = flags; r1 = *(u8 *)(r1 + offset)."""
    return [(0x18, 1, 0, 0, 0), SECOND, (opcode, 1, 1, offset, 0)]


def jump(opcode: int, imm: int, register: int = 1) -> list[Insn]:
    """if r1 ... goto +1; exit at 4 where it falls through, exit at 5 where it jumps."""
    return [(opcode, register, 0, 1, imm), EXIT, EXIT]


FALLS, JUMPS = {5}, {4}


@pytest.mark.parametrize(
    ("offset", "width", "opcode", "imm", "expected"),
    [
        (0, 0x71, 0x15, 0, JUMPS),
        (1, 0x71, 0x15, 0, FALLS),
        (1, 0x71, 0x55, 0, JUMPS),
        (1, 0x71, 0x25, 0, JUMPS),
        (1, 0x71, 0x25, 1, FALLS),
        (1, 0x71, 0x35, 1, JUMPS),
        (1, 0x71, 0xA5, 1, FALLS),
        (1, 0x71, 0xB5, 1, JUMPS),
        (2, 0x71, 0x45, 2, JUMPS),
        (2, 0x71, 0x45, 1, FALLS),
        (1, 0x79, 0x65, -1, FALLS),  # 0xfffffffffffffe01 is negative
        (1, 0x79, 0xC5, 0, JUMPS),
        (1, 0x79, 0xD5, -512, FALLS),
        (1, 0x79, 0x75, -511, JUMPS),
        (2, 0x61, 0x66, 0, FALLS),  # 0xfffffffe in 32 bits is negative
        (2, 0x61, 0x65, 0, JUMPS),
        (2, 0x61, 0x16, -2, JUMPS),
        (2, 0x61, 0x15, -2, FALLS),
        (0, 0x69, 0x15, 0x100, JUMPS),
    ],
)
def test_a_branch_on_a_constant_goes_one_way(
    offset: int, width: int, opcode: int, imm: int, expected: set[int]
) -> None:
    assert dead(*load(offset, width), *jump(opcode, imm)) == expected


@pytest.mark.parametrize(
    "code",
    [
        [*load(8, 0x79), *jump(0x15, 0)],  # beyond the section
        [*load(-1), *jump(0x15, 0)],
        [*load(0, 0x91), *jump(0x15, 0)],  # a load that extends the sign
        [*load(), *jump(0x15, 0, register=2)],  # another register
        [*load(), *jump(0xE5, 0)],  # no condition of ours
        [*load(), *jump(0x1D, 0)],  # against r0
    ],
)
def test_what_is_not_known_leaves_both_ways_open(code: list[Insn]) -> None:
    assert dead(*code) == set()


def test_an_address_of_anything_else_is_not_known() -> None:
    assert dead(*load(), *jump(0x15, 0), loads={0: None}) == set()
    assert dead(*load(), *jump(0x15, 0), loads={0: Address(8, 0)}) == set()


def test_calls_and_atomics_forget_what_they_change_and_nothing_else() -> None:
    call, keep, copy = (0x85, 0, 0, 0, 5), (0xBF, 6, 1, 0, 0), (0xBF, 2, 1, 0, 0)
    assert dead(*load(), call, *jump(0x15, 0)) == set()
    assert dead(*load(), keep, call, (0x15, 6, 0, 1, 0), EXIT, EXIT) == {6}
    assert dead(*load(), (0xDB, 10, 1, -8, 1), *jump(0x15, 0)) == set()  # atomic add with fetch into r1
    assert dead(*load(), (0x7B, 10, 1, -8, 0), *jump(0x15, 0)) == {5}
    assert dead(*load(), copy, (0x1D, 1, 2, 1, 0), EXIT, EXIT) == {5}


def test_a_loop_forgets_what_it_changes() -> None:
    again = [*load(), (0x07, 1, 0, 0, 1), (0xA5, 1, 0, -2, 10), EXIT, EXIT]
    assert dead(*again) == {6}, "only what is after the exit"


def test_the_second_half_of_a_load_is_no_code() -> None:
    assert dead(*load(), (0x15, 1, 0, 3, 0), (0x18, 3, 0, 0, 9), SECOND, EXIT, EXIT) == {4, 6}


def test_what_takes_too_long_to_follow_is_kept() -> None:
    code = [*load(), (0x07, 1, 0, 0, 1), (0xA5, 1, 0, -2, 10), EXIT, EXIT]
    assert dead(*code, steps=8) == {6}
    assert dead(*code, steps=4) == set()


# --- in objects -----------------------------------------------------------------------------------------------------------


def translated(*words: str) -> bundle.Bundle:
    options = Options(function="ruled_out", loading=loading.read({"constants": words}))
    return bundle.decode(frontend.translate(compiled("ruled_out"), options).bundle)


def test_what_is_ruled_out_may_call_and_name_what_does_not_exist() -> None:
    found = translated()
    assert found.helpers == ()
    assert [entry.name for entry in found.maps] == [".rodata"]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("route=1",), None),
        (("kernel_function=1",), "extern-symbol"),
        (("mode=SOCKETS",), "map-type"),
        (("other=1",), "core-relocation"),
    ],
)
def test_what_constants_allow_is_linked(words: tuple[str, ...], rule: str | None) -> None:
    options = Options(function="ruled_out", loading=loading.read({"constants": words}))
    answer = frontend.answer(compiled("ruled_out"), options)
    if rule is not None:
        assert answer.finding is not None
        assert answer.finding.rule == rule
        return
    assert answer.translation is not None
    found = bundle.decode(answer.translation.bundle)
    assert (found.helpers, {entry.name for entry in found.maps}) == ((23, 69), {".rodata"})
