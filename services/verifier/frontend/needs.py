"""What linked code needs, read off its instructions: helpers, stack, outputs. No proof: the analyser proves, this declares.

The stack need is an upper bound for code that addresses its frame through r10 and constant offsets, which is what compilers
write; a function that uses r10 in any other way is counted with a whole frame.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from services.verifier.errors import Unsupported
from services.verifier.frontend.initial import Function
from services.verifier.frontend.linker import INSN, Linked, Placed
from unibpf.formats.bpf import (
    DEVICE_MAPS,
    HELPER_TAIL_CALL,
    INSN_BYTES,
    LDDW,
    MAX_FRAME,
    MAX_FRAMES,
    MAX_OUTPUTS,
    MAX_STACK,
    SRC_NUMBER,
)
from unibpf.formats.bundle import BundleMap
from unibpf.messages.base import Kind

HELPER_REDIRECT: Final = 23
# bpf_xdp_adjust_head, bpf_xdp_adjust_meta, bpf_xdp_adjust_tail, bpf_xdp_store_bytes: guest/bpf/bundle/abi.hpp
_OF_REWRITERS: Final = frozenset({44, 54, 65, 190})

_R0: Final = 0
_R10: Final = 10
_CLASS_LDX, _CLASS_ST, _CLASS_STX = 1, 2, 3
_MEMORY: Final = (_CLASS_LDX, _CLASS_ST, _CLASS_STX)
_STXDW: Final = 0x7B
_FEWEST: Final = 8  # instructions from which on a program can be told to be unoptimised
_MOV64_REG, _ADD64_IMM = 0xBF, 0x07
_JUMPS: Final = {5, 6}
_SCHEDULED: Final = 16
# The port by which a packet leaves for an XDP code (design 7): pass 0, drop 1, transmit 2.
_XDP_PORTS: Final = {2: 0, 1: 1, 3: 2}

Insn = tuple[int, int, int, int, int]  # opcode, dst, src, offset, imm


def helpers(code: bytes) -> tuple[int, ...]:
    """Return the numbers of the helpers called, ascending."""
    calls = (_at(code, place) for place in _places(_IS_CALL, code[_OPCODE::INSN_BYTES]))
    return tuple(sorted({imm & 0xFFFF_FFFF for _, _, src, _, imm in calls if src == SRC_NUMBER}))


def least_kind(called: tuple[int, ...]) -> Kind:
    """Return the kind of an XDP program that has no more rights than its helpers show: one that writes the packet itself is
    found by the analyser."""
    return "rewriter" if _OF_REWRITERS & set(called) else "filter"


def is_unoptimised(linked: Linked) -> bool:
    """Whether the entry looks like what clang makes with -O0: it begins by storing its argument, and goes to its frame for
    every value."""
    code = _body(linked.code, linked.functions[0])
    if len(code) < _FEWEST * INSN_BYTES or _at(code, 0)[:3] != (_STXDW, _R10, 1):
        return False
    body = _insns(code)
    on_stack = sum(_R10 in (src if op & 7 == _CLASS_LDX else dst,) for op, dst, src, _, _ in body if op & 7 in _MEMORY)
    return on_stack * 4 >= len(body)


class _Need(Struct, frozen=True):
    """Bytes and frames of the deepest chain of calls."""

    size: int = 0
    depth: int = 0

    def __or__(self, other: "_Need") -> "_Need":
        return _Need(max(self.size, other.size), max(self.depth, other.depth))


def stack(linked: Linked) -> int:
    """Return the bytes of the deepest call chain; raises Unsupported when a frame, the chain or its depth is too much."""
    need = _Stack(linked).need()
    if need.size > MAX_STACK or need.depth > MAX_FRAMES:
        raise Unsupported(
            "stack-depth",
            f"calls nest too deep: got {need.depth} frames with {need.size} bytes, "
            f"expected at most {MAX_FRAMES} with {MAX_STACK} bytes",
        )
    return need.size


class _Stack:
    """A callback's frame lies below that of the function which names it, as a callee's does; the target of a tail call takes
    the frame of the function that makes it."""

    def __init__(self, linked: Linked) -> None:
        self.linked = linked
        self.bodies = {placed.function: placed for placed in linked.functions}
        self.frames = {function: _frame(linked.code, placed) for function, placed in self.bodies.items()}
        self.tailing = {function for function, placed in self.bodies.items() if _makes_tail_calls(linked.code, placed)}
        self.deepest: dict[Function, _Need] = {}
        self.behind = _Need()  # of the targets of tail calls, known once they have been visited

    def need(self) -> _Need:
        if self.tailing:
            self.check_no_growth()
            for target in self.linked.targets:
                self.behind |= self.visit(target)
            self.deepest.clear()
        return self.visit(self.linked.functions[0].function)

    def visit(self, function: Function) -> _Need:  # at most MAX_FUNCTIONS deep: the linker refused recursion
        if function not in self.deepest:
            below = _Need()
            for callee in set(self.bodies[function].calls):
                below |= self.visit(callee)
            own = _Need(self.frames[function] + below.size, 1 + below.depth)
            self.deepest[function] = own | self.behind if function in self.tailing else own
        return self.deepest[function]

    def check_no_growth(self) -> None:
        """A program that is gone on in must not call a function that goes on in it: each round would add frames."""
        waiting = [callee for target in self.linked.targets for callee in self.bodies[target].calls]
        seen: set[Function] = set()
        while waiting:
            function = waiting.pop()
            if function in self.tailing:
                raise Unsupported(
                    "stack-depth",
                    f"function `{function.name:.80}` is called by programs that its own tail call may go on in",
                    hint="make the tail call in the program itself",
                )
            if function not in seen:
                seen.add(function)
                waiting += self.bodies[function].calls


def _makes_tail_calls(code: bytes, placed: Placed) -> bool:
    return HELPER_TAIL_CALL in helpers(_body(code, placed))


def _body(code: bytes, placed: Placed) -> bytes:
    start = placed.base * INSN_BYTES
    return code[start : start + placed.function.size]


def _frame(code: bytes, placed: Placed) -> int:
    body = _body(code, placed)
    need = max((_reach(body, place) for place in _places(_NAMES_R10, body[_REGISTERS::INSN_BYTES])), default=0)
    if need > MAX_FRAME:
        raise Unsupported(
            "stack-frame",
            f"function `{placed.function.name:.80}` needs too much stack: got {need} bytes, expected at most {MAX_FRAME}",
        )
    return (need + 7) // 8 * 8


def _reach(body: bytes, at: int) -> int:
    """How far below r10 the instruction at `at` reaches, directly or by making a pointer."""
    opcode, dst, src, offset, _ = _at(body, at)
    base = src if opcode & 7 == _CLASS_LDX else dst if opcode & 7 in (_CLASS_ST, _CLASS_STX) else None
    if base == _R10:
        return max(0, -offset)
    if opcode == _MOV64_REG and src == _R10:
        return _pointer_reach(_insns(body[INSN_BYTES * (at + 1) : INSN_BYTES * (at + 1 + _SCHEDULED)]), dst)
    return 0


def _pointer_reach(following: Sequence[Insn], register: int) -> int:
    """How far `register`, a copy of r10, is moved down; its `+= imm` may be scheduled a few instructions later."""
    for opcode, dst, src, _, imm in following:
        if (opcode, dst) == (_ADD64_IMM, register):
            return max(0, -imm)
        if register in (dst, src) or opcode & 7 in _JUMPS:
            break
    return MAX_FRAME


def outputs(kind: Kind, linked: Linked, called: tuple[int, ...], declared: int | None) -> int:
    """Return 1 + the highest port that the code can name: `declared` when the section says so, else from its constants."""
    if declared is not None:
        return declared
    codes = _result_constants(linked)
    if kind == "classifier":
        ports = [code for code in codes if 0 <= code < MAX_OUTPUTS]
    else:
        ports = [_XDP_PORTS[code] for code in codes if code in _XDP_PORTS]
        ports += [_redirect_ports(linked.maps)]
        if HELPER_REDIRECT in called:
            ports.append(MAX_OUTPUTS - 1)
    return 1 + max(ports, default=0)


def _redirect_ports(maps: tuple[BundleMap, ...]) -> int:
    sizes = [entry.max_entries for entry in maps if entry.type in DEVICE_MAPS]
    return min(max(sizes, default=1), MAX_OUTPUTS) - 1


def _result_constants(linked: Linked) -> set[int]:
    """Constants written to r0, or to a register that is copied to r0 somewhere."""
    code = linked.code
    opcodes, registers = code[_OPCODE::INSN_BYTES], code[_REGISTERS::INSN_BYTES]
    copies = (registers[place] for place in _places(_IS_MOV_REG, opcodes))
    sources = {_R0} | {both >> 4 for both in copies if both & 15 == _R0}
    written = (place for place in _places(_IS_MOV_IMM, opcodes) if registers[place] & 15 in sources)
    return {_at(code, place)[4] for place in written}


# Most of what is asked is about few instructions: they are found by one byte of each, at the speed of a search in bytes. The
# second half of a 64-bit load has zeroes there (RFC 9669 5.4), whoever writes it otherwise is refused by the decoder.
_OPCODE, _REGISTERS = 0, 1
_IS_CALL: Final = re.compile(rb"\x85")
_IS_MOV_REG: Final = re.compile(rb"[\xbf\xbc]")
_IS_MOV_IMM: Final = re.compile(rb"[\xb7\xb4]")
_NAMES_R10: Final = re.compile(
    b"[" + b"".join(re.escape(bytes([n])) for n in range(256) if _R10 in (n & 15, n >> 4)) + b"]"
)


def _places(pattern: re.Pattern[bytes], column: bytes) -> Iterator[int]:
    return (match.start() for match in pattern.finditer(column))


def _at(code: bytes, place: int) -> Insn:
    opcode, registers, offset, imm = INSN.unpack_from(code, place * INSN_BYTES)
    return opcode, registers & 15, registers >> 4, offset, imm


def _insns(code: bytes) -> Sequence[Insn]:
    """Return the instructions; the second half of a 64-bit load is left out."""
    rows = INSN.iter_unpack(code)
    found: list[Insn] = []
    for opcode, registers, offset, imm in rows:
        found.append((opcode, registers & 15, registers >> 4, offset, imm))
        if opcode == LDDW:
            next(rows, None)
    return found
