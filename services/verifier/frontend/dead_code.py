"""Finds code of a function that constants rule out: what follows `if (flag)` where `flag` is in .rodata and false.

Linux' verifier never looks at such code and then removes it, so it may call what does not exist there; what is found here the
linker leaves out of the bundle. Constants are followed through registers only, from the loads of read-only data that nobody
can change, along the branches that they leave open (Wegman and Zadeck, TOPLAS 13(2), 1991). Whatever is not understood is
unknown, and an unknown condition leaves both ways open: code that can run is never found.

Nothing rests on this for safety: the analyser sees the bundle that comes of it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

# Steps of following, by default: loops are followed again until nothing changes.
_STEPS: Final = 1000
_STEPS_AN_INSTRUCTION: Final = 4

_U64: Final = (1 << 64) - 1
_U32: Final = (1 << 32) - 1
_REGISTERS: Final = 11
_LD, _LDX, _ST, _STX, _ALU32, _JMP, _JMP32, _ALU64 = range(8)  # RFC 9669 3.1
_LDDW, _MEM, _ATOMIC = 0x18, 0x60, 0xC0
_JA, _CALL, _EXIT = 0x00, 0x80, 0x90
_BYTES: Final = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_ADD, _MOV = 0x00, 0xB0


class Address(Struct, frozen=True):
    """A byte of a constant section."""

    section: int
    offset: int


Slot = tuple[int, int, int, int]
Value = int | Address | None  # a number modulo 2^64, an address, or nothing that is known
State = tuple[Value, ...]
Contents = Mapping[int, bytes]  # of constant sections

_NOTHING: Final[State] = (None,) * _REGISTERS


def unreached(
    slots: Sequence[Slot], loads: Mapping[int, Address | None], contents: Contents, *, steps: int | None = None
) -> set[int]:
    """Return the instructions that cannot run.

    `slots` are (opcode, registers, offset, imm) of one function, `loads` its 64-bit loads of addresses, None for those of
    anything but constants. A function that takes more `steps` keeps all its code.
    """
    most = _STEPS + _STEPS_AN_INSTRUCTION * len(slots) if steps is None else steps
    return _Follower(slots, loads, contents).unreached(most)


class _Follower:
    """States before instructions; each only ever loses knowledge, so this ends."""

    def __init__(self, slots: Sequence[Slot], loads: Mapping[int, Address | None], contents: Contents) -> None:
        self.slots = slots
        self.loads = loads
        self.contents = contents
        self.before: dict[int, State] = {}
        self.waiting = [0]

    def unreached(self, most: int) -> set[int]:
        self.before[0] = _NOTHING
        steps = 0
        while self.waiting:
            steps += 1
            if steps > most:
                return set()
            self.step(self.waiting.pop())
        return {at for at, slot in enumerate(self.slots) if at not in self.before and not self.is_second_half(at)}

    def is_second_half(self, at: int) -> bool:
        return at > 0 and self.slots[at - 1][0] == _LDDW and self.slots[at][0] == 0

    def step(self, at: int) -> None:
        opcode, registers = self.slots[at][:2]
        state = self.before[at]
        kind = opcode & 7
        if kind in (_JMP, _JMP32):
            for following, after in self.jump(at, state):
                self.flow(following, after)
            return
        following = at + (2 if opcode == _LDDW else 1)
        if kind == _STX:
            changed = (0, registers >> 4) if opcode & 0xE0 == _ATOMIC else ()
            self.flow(following, _forget(state, *changed))
        elif kind == _ST:
            self.flow(following, state)
        elif kind == _LD and opcode != _LDDW:
            self.flow(following, _NOTHING)
        else:
            self.flow(following, _with(state, registers & 15, self.value(at, state)))

    def flow(self, at: int, state: State) -> None:
        if not 0 <= at < len(self.slots):
            return  # the analyser will say that it leaves the function
        known = self.before.get(at)
        joined = state if known is None else tuple(a if a == b else None for a, b in zip(known, state, strict=True))
        if joined != known:
            self.before[at] = joined
            self.waiting.append(at)

    # --- jumps --------------------------------------------------------------------------------------------------------

    def jump(self, at: int, state: State) -> list[tuple[int, State]]:
        opcode, registers, offset, imm = self.slots[at]
        operation = opcode & 0xF0
        if operation == _EXIT:
            return []
        if operation == _CALL:
            return [(at + 1, _forget(state, *range(6)))]
        if operation == _JA:
            return [(at + 1 + (imm if opcode & 7 == _JMP32 else offset), state)]
        left, right = _register(state, registers & 15), _operand(state, opcode, registers, imm)
        test = _TESTS.get(operation)
        if test is None or not isinstance(left, int) or not isinstance(right, int):
            return [(at + 1, state), (at + 1 + offset, state)]
        bits = 32 if opcode & 7 == _JMP32 else 64
        mask = (1 << bits) - 1
        return [(at + 1 + offset if test(left & mask, right & mask, bits) else at + 1, state)]

    # --- values -------------------------------------------------------------------------------------------------------

    def value(self, at: int, state: State) -> Value:
        opcode, registers, offset, imm = self.slots[at]
        kind = opcode & 7
        if opcode == _LDDW:
            if at in self.loads:
                return self.loads[at]
            number = registers >> 4 == 0 and at + 1 < len(self.slots)
            return (imm & _U32) | (self.slots[at + 1][3] & _U32) << 32 if number else None
        if kind == _LDX:
            return self.read(_register(state, registers >> 4), offset, opcode)
        if offset:  # division with a sign, moves that extend one
            return None
        left, right = _register(state, registers & 15), _operand(state, opcode, registers, imm)
        return _calculated(opcode & 0xF0, left, right, 64 if kind == _ALU64 else 32)

    def read(self, base: Value, offset: int, opcode: int) -> Value:
        if not isinstance(base, Address) or opcode & 0xE0 != _MEM:
            return None
        data, first = self.contents.get(base.section, b""), base.offset + offset
        end = first + _BYTES[opcode & 0x18]
        return int.from_bytes(data[first:end], "little") if first >= 0 and end <= len(data) else None


def _register(state: State, number: int) -> Value:
    return state[number] if number < _REGISTERS else None


def _operand(state: State, opcode: int, registers: int, imm: int) -> Value:
    return _register(state, registers >> 4) if opcode & 8 else imm & _U64


def _with(state: State, number: int, value: Value) -> State:
    return (*state[:number], value, *state[number + 1 :]) if number < _REGISTERS else _NOTHING


def _forget(state: State, *numbers: int) -> State:
    return tuple(None if number in numbers else value for number, value in enumerate(state))


def _calculated(operation: int, left: Value, right: Value, bits: int) -> Value:
    if operation == _MOV and (bits == 64 or isinstance(right, int)):
        return right & ((1 << bits) - 1) if isinstance(right, int) else right
    if isinstance(left, Address) and isinstance(right, int) and (operation, bits) == (_ADD, 64):
        return Address(left.section, left.offset + _signed(right, 64))
    calculate = _CALCULATIONS.get(operation)
    if calculate is None or not isinstance(left, int) or not isinstance(right, int):
        return None
    mask = (1 << bits) - 1
    return calculate(left & mask, right & mask, bits) & mask


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number


# RFC 9669 4.1; shift amounts are masked. Byte swaps, division and negation are not followed.
_CALCULATIONS: Final[dict[int, Callable[[int, int, int], int]]] = {
    _ADD: lambda a, b, _: a + b,
    0x10: lambda a, b, _: a - b,
    0x20: lambda a, b, _: a * b,
    0x40: lambda a, b, _: a | b,
    0x50: lambda a, b, _: a & b,
    0x60: lambda a, b, bits: a << (b & (bits - 1)),
    0x70: lambda a, b, bits: a >> (b & (bits - 1)),
    0xA0: lambda a, b, _: a ^ b,
    0xC0: lambda a, b, bits: _signed(a, bits) >> (b & (bits - 1)),
}
# RFC 9669 4.3
_TESTS: Final[dict[int, Callable[[int, int, int], bool]]] = {
    0x10: lambda a, b, _: a == b,
    0x20: lambda a, b, _: a > b,
    0x30: lambda a, b, _: a >= b,
    0x40: lambda a, b, _: a & b != 0,
    0x50: lambda a, b, _: a != b,
    0x60: lambda a, b, bits: _signed(a, bits) > _signed(b, bits),
    0x70: lambda a, b, bits: _signed(a, bits) >= _signed(b, bits),
    0xA0: lambda a, b, _: a < b,
    0xB0: lambda a, b, _: a <= b,
    0xC0: lambda a, b, bits: _signed(a, bits) < _signed(b, bits),
    0xD0: lambda a, b, bits: _signed(a, bits) <= _signed(b, bits),
}
