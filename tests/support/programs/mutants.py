"""Mutants of a program: one instruction changed, each in the ways in which checks are forgotten or written wrongly.

A mutant keeps the length of the code and its jumps, so that every mutant is as well-formed as its program.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from unibpf.formats.bpf import INSN_BYTES, LDDW

_LD, _LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = range(8)  # RFC 9669 3.1, instruction classes
_JA, _CALL, _EXIT = 0x00, 0x80, 0x90
_FROM_REGISTER: Final = 0x08
_END: Final = 0xD0  # byte swaps: their imm is a width
_MEMORY_MODES: Final = (0x60, 0x80)
_WIDER: Final = {0x10: 0x08, 0x08: 0x00, 0x00: 0x18}  # 1, 2, 4, 8 bytes
# Comparisons that differ where both sides are equal, and those that differ everywhere else.
_NEIGHBOUR: Final = {0x20: 0x30, 0x30: 0x20, 0xA0: 0xB0, 0xB0: 0xA0, 0x60: 0x70, 0x70: 0x60, 0xC0: 0xD0, 0xD0: 0xC0}
_OPPOSITE: Final = {0x10: 0x50, 0x50: 0x10, 0x20: 0xB0, 0xB0: 0x20, 0x30: 0xA0, 0xA0: 0x30}


@dataclass(frozen=True)
class Mutant:
    """`change` and the instruction's slot name it; `drop` is a check that is gone."""

    change: str
    slot: int
    code: bytes

    @property
    def name(self) -> str:
        return f"{self.change}@{self.slot}"


@dataclass(frozen=True)
class _Insn:
    opcode: int
    registers: int
    offset: int
    imm: int

    def bytes(self) -> bytes:
        return struct.pack("<BBhi", self.opcode, self.registers, self.offset, self.imm)

    @property
    def group(self) -> int:
        return self.opcode & 7

    @property
    def is_check(self) -> bool:
        return self.group in (_JMP, _JMP32) and self.opcode & 0xF0 not in (_JA, _CALL, _EXIT)


def mutants(code: bytes) -> Iterator[Mutant]:
    """Every mutant, in the order of the code."""
    at = 0
    while at < len(code):
        insn = _Insn(*struct.unpack_from("<BBhi", code, at))
        for change, changed in _changes(insn):
            yield Mutant(change, at // INSN_BYTES, code[:at] + changed.bytes() + code[at + INSN_BYTES :])
        at += 2 * INSN_BYTES if insn.opcode == LDDW else INSN_BYTES


def _changes(insn: _Insn) -> Iterator[tuple[str, _Insn]]:
    if insn.is_check:
        yield from _wrong_checks(insn)
    elif insn.group in (_LDX, _ST, _STX) and insn.opcode & 0xE0 in _MEMORY_MODES:
        yield from _wrong_accesses(insn)
    if _has_constant(insn):
        for by in (-1, 1):
            if -(1 << 31) <= insn.imm + by < 1 << 31:
                yield f"constant{by:+}", _Insn(insn.opcode, insn.registers, insn.offset, insn.imm + by)
    if insn.group in (_ALU, _ALU64) and insn.opcode & _FROM_REGISTER and insn.opcode & 0xF0 != _END:
        other = (insn.registers >> 4) % 9 + 1  # another of r1 to r9
        yield "register", _Insn(insn.opcode, insn.registers & 0x0F | other << 4, insn.offset, insn.imm)


def _wrong_checks(insn: _Insn) -> Iterator[tuple[str, _Insn]]:
    yield "drop", _Insn(_JMP, 0, 0, 0)
    yield "take", _Insn(_JMP, 0, insn.offset, 0)
    comparison = insn.opcode & 0xF0
    for change, table in (("loosen", _NEIGHBOUR), ("negate", _OPPOSITE)):
        if comparison in table:
            opcode = insn.opcode & 0x0F | table[comparison]
            yield change, _Insn(opcode, insn.registers, insn.offset, insn.imm)


def _wrong_accesses(insn: _Insn) -> Iterator[tuple[str, _Insn]]:
    for by in (-1, 1):
        yield f"offset{by:+}", _Insn(insn.opcode, insn.registers, insn.offset + by, insn.imm)
    wider = _WIDER.get(insn.opcode & 0x18)
    signed_word = insn.opcode & 0xE0 == 0x80 and wider == 0x18  # no such instruction
    if wider is not None and not signed_word:
        yield "widen", _Insn(insn.opcode & ~0x18 | wider, insn.registers, insn.offset, insn.imm)


def _has_constant(insn: _Insn) -> bool:
    arithmetic = insn.group in (_ALU, _ALU64) and not insn.opcode & _FROM_REGISTER and insn.opcode & 0xF0 != _END
    return arithmetic or (insn.is_check and not insn.opcode & _FROM_REGISTER)
