"""Random programs from the opcode table: every register and all of the stack that is used starts as a random number, so that
nothing indeterminate is read; branches go forward. They end with a sum over all registers and the stack.
"""

import random
from collections.abc import Iterator

from tests.support.programs.assembler import Row

SLOTS = range(-64, 0, 8)
REGISTERS = range(10)
LENGTH = 80
INTERESTING = (0, 1, -1, 0x7FFFFFFF, -0x80000000, 0x8000, 0xFF, -128)
SIZES = {"b": 1, "h": 2, "w": 4, "dw": 8, "sb": 1, "sh": 2, "sw": 4}


def number(rng: random.Random, bits: int) -> int:
    return rng.choice(INTERESTING) if rng.random() < 0.3 else rng.getrandbits(bits) - (1 << (bits - 1))


def program(rng: random.Random, rows: dict[str, Row]) -> str:
    body = [name for name, row in rows.items() if row["category"] not in ("jump", "call_helper", "call_local", "exit")]
    body = [name for name in body if not name.startswith("lddw_")]
    lines = [f"lddw r{reg}, {number(rng, 64) & 0xFFFF_FFFF_FFFF_FFFF}" for reg in REGISTERS]
    for at in SLOTS:
        lines.append(f"stxdw [r10{at}], r{rng.choice(REGISTERS)}")
    for index in range(LENGTH):
        name = rng.choice(body)
        lines.extend(instruction(rng, name, rows[name], f"l{index}"))
    for reg in REGISTERS[1:]:
        lines += [f"mul64 r0, {0x01000193}", f"add64 r0, r{reg}"]
    for at in SLOTS:
        lines += [f"ldxdw r1, [r10{at}]", f"mul64 r0, {0x01000193}", "add64 r0, r1"]
    return "\n".join([*lines, "mov64 r1, r0", "rsh64 r1, 32", "xor64 r0, r1", "exit"])


def instruction(rng: random.Random, name: str, row: Row, label: str) -> Iterator[str]:
    dst, src = rng.choice(REGISTERS), rng.choice(REGISTERS)
    last = f"r{src}" if row["src_operand"] else str(immediate(rng, name))
    match row["category"]:
        case "alu" if name.startswith("neg"):
            yield f"{name} r{dst}"
        case "alu" | "move_sx":
            yield f"{name} r{dst}, {last if row['category'] == 'alu' else f'r{src}'}"
        case "endian":
            yield f"{name} r{dst}"
        case "load_imm64":
            yield f"{name} r{dst}, {rng.getrandbits(64)}"
        case "branch":
            yield f"{name} r{dst}, {last}, {label}"
            yield f"xor64 r{rng.choice(REGISTERS)}, {immediate(rng, 'xor64_imm')}"
            yield f"{label}:"
        case "load" | "load_sx":
            yield f"{name} r{dst}, {place(rng, SIZES[name[3:]])}"
        case "store" | "store_imm":
            yield f"{name} {place(rng, SIZES[name.removeprefix('stx').removeprefix('st')])}, {last}"
        case "atomic":
            yield f"{name} {place(rng, 8 if name.endswith('64') else 4)}, r{src}"


def immediate(rng: random.Random, name: str) -> int:
    if "sh" in name.partition("_")[0]:
        return rng.randrange(64 if "64" in name else 32)  # the kernel takes no larger count as immediate
    value = number(rng, 32)
    return value or 7 if name.partition("_")[0].rstrip("3264") in ("div", "mod", "sdiv", "smod") else value


def place(rng: random.Random, size: int) -> str:
    return f"[r10-{rng.randrange(size, 65, size)}]"
