"""frontend/dead_code.py against the engine: what it says cannot run is spoilt, and random programs end as before."""

import random
import struct

from services.verifier.frontend.dead_code import Address, unreached
from tests.support.programs.bundles import Runner, bundle_of
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap

PROGRAMS = 600
ALU = (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0)
TESTS = (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0)
NUMBERS = (0, 1, 2, -1, -2, 31, 32, 63, 0x7FFFFFFF, -0x80000000, 255, 1 << 16)
DATA = bytes(random.Random("data").choices((0, 1, 0x7F, 0x80, 0xFF), k=64))
Insn = tuple[int, int, int, int]  # opcode, registers, offset, imm

SPOILT: Insn = (0xB7, 6, 0, 0x5501)  # r6 = a number that no program has
CALL: Insn = (0x85, 0, 0, 8)  # get_smp_processor_id: r0 is not known


def program(source: random.Random) -> list[Insn]:
    """Registers 0-7 hold constants or parts of .rodata, 8 the packet's length; what comes of it is in r0."""
    code: list[Insn] = [(0x61, 8 | 1 << 4, 4, 0), (0x61, 7 | 1 << 4, 0, 0), (0x1F, 8 | 7 << 4, 0, 0)]
    code += [(0x18, 9 | 6 << 4, 0, 0), (0, 0, 0, source.randrange(32))]
    for register in (0, 1, 2, 3, 4, 5, 6, 7):
        width = source.choice((0x71, 0x69, 0x61, 0x79))
        read = (width, register | 9 << 4, source.randrange(25), 0)
        code.append(source.choice([read, (source.choice((0xB7, 0xB4)), register, 0, source.choice(NUMBERS))]))
    body = [one(source) for _ in range(24)]
    for at, insn in enumerate(body):
        if insn[0] & 7 in (5, 6) and insn[0] != CALL[0]:
            body[at] = (insn[0], insn[1], source.randrange(len(body) - at), insn[3])
    return [*code, *body, (0xBF, 0 | 6 << 4, 0, 0), (0xAF, 0 | 7 << 4, 0, 0), (0x95, 0, 0, 0)]


def one(source: random.Random) -> Insn:
    left, right = source.choice((1, 2, 3, 4, 5, 6, 7)), source.choice((0, 1, 2, 3, 4, 5, 6, 7, 8))
    by_register = source.choice((0, 8))
    imm = 0 if by_register else source.choice(NUMBERS)
    registers = left | (right << 4 if by_register else 0)
    match source.randrange(8):
        case 0 | 1 | 2:
            return source.choice(TESTS) | source.choice((5, 6)) | by_register, registers, 0, imm
        case 3:
            return 0x71, left | 9 << 4, source.randrange(32), 0
        case 4 if source.randrange(4) == 0:
            return CALL
        case _:
            return calculation(source, registers, by_register, imm)


def calculation(source: random.Random, registers: int, by_register: int, imm: int) -> Insn:
    operation, width = source.choice(ALU), source.choice((4, 7))
    if operation == 0x80:  # negation has no other operand
        return 0x80 | width, registers & 15, 0, 0
    shift = operation in (0x60, 0x70, 0xC0)
    if shift and not by_register:
        imm = source.randrange(32 if width == 4 else 64)
    if operation in (0x30, 0x90) and not by_register:
        imm = source.choice((1, 3, -7))
    return operation | width | by_register, registers, 0, imm


def rewritten(code: list[Insn], dead: set[int]) -> list[Insn]:
    return [SPOILT if at in dead else insn for at, insn in enumerate(code)]


def packed(code: list[Insn]) -> bytes:
    return b"".join(struct.pack("<BBhi", *insn) for insn in code)


def test_what_cannot_run_does_not_change_what_a_program_gives(runner: Runner) -> None:
    source = random.Random("dead code")
    rodata = BundleMap(
        name=".rodata", type=MapType.ARRAY, key_size=4, value_size=64, max_entries=1, flags=1 << 7, data=DATA
    )
    found = 0
    for _ in range(PROGRAMS):
        code = program(source)
        dead = unreached(code, {3: Address(0, code[4][3])}, {0: DATA})
        found += len(dead)
        if not dead:
            continue
        before, after = (runner.run(bundle_of(packed(each), [rodata]))[0] for each in (code, rewritten(code, dead)))
        assert before["trap"] is None, before
        assert (before["verdict_code"], before["trap"]) == (after["verdict_code"], after["trap"]), (code, dead)
    assert found > 4 * PROGRAMS
