"""Links one entry function, everything it calls and everything it may go on in into the instructions of a bundle.

Plan, then apply: `_discover` walks the call graph and turns every relocation into a `Patch` (data), `_emit` puts the
functions one after the other and applies the patches. Entry first, then the others in the order in which they are met:
functions that are called, those whose address is taken (callbacks), those that program arrays hold (tail calls).

Invariants of the result:
- every `call` with src_reg=1 has a relative imm that lands on the first instruction of a linked function;
- every 64-bit load has src_reg 0 (a number), 4 (address of a linked function, imm relative as a call's), 5 (handle of
  maps[imm]) or 6 (address inside global data maps[imm]);
- maps are in the object's order, each named by the code or by another map;
- what a loader would write into an instruction (answers of CO-RE, the address of a weak extern) is a number in it;
- code that constants rule out (dead_code.py) names nothing: its calls and addresses are numbers;
- calls and callbacks make no cycle (the stack need would have no bound); tail calls may.

Relocations follow LLVM's BPF backend: R_BPF_64_64 on a 64-bit load (symbol + addend in imm), R_BPF_64_32 on a call (symbol
+ (imm + 1) * 8). Static functions and static data are named by their section's symbol. Calls inside one section carry no
relocation, they are already relative.
"""

import struct
from collections import deque
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from services.verifier.errors import Malformed, Rejection, Unsupported
from services.verifier.frontend import capacity, dead_code, elf, initial
from services.verifier.frontend.initial import Function, Functions, Initial, MapKey
from services.verifier.frontend.maps import MapTable, is_global_data, is_maps
from unibpf.formats.bpf import (
    BPF_F_RDONLY_PROG,
    CALL,
    CALL_REGISTER,
    INSN_BYTES,
    LDDW,
    MAX_CODE_BYTES,
    MAX_FUNCTIONS,
    MAX_MAPS,
    MOV64_IMM,
    SIZELESS,
    SRC_FUNCTION,
    SRC_KFUNC,
    SRC_LOCAL_CALL,
    SRC_MAP,
    SRC_MAP_VALUE,
    SRC_NUMBER,
)
from unibpf.formats.bundle import BundleMap

_NAMING: Final = frozenset({LDDW, CALL, CALL_REGISTER})  # what may name something without a relocation
_ARITHMETIC: Final = (4, 7)  # classes ALU and ALU64
_OF_REGISTER: Final = 8
_U32: Final = (1 << 32) - 1

Numbers = Mapping[int, Mapping[int, int]]  # by section and byte: what instructions load

INSN: Final = struct.Struct("<BBhi")  # opcode, dst and src register, offset, imm (RFC 9669 3)


class Patch(Struct, frozen=True):
    """At byte `offset` of its function: a call or the address of `function`, or `map_key` (at byte `addend`, or its handle).

    Or the `number` that an instruction loads, which its compiler left to a loader. One that says nothing of that stands where
    constants rule out that anything is called or loaded.
    """

    offset: int
    function: Function | None = None
    map_key: MapKey | None = None
    addend: int | None = None
    number: int | None = None


class Placed(Struct, frozen=True):
    """A linked function and the index of its first instruction; `calls`: what it calls, or has called back.

    `dead` are the bytes of the function where the instructions begin that constants rule out.
    """

    function: Function
    base: int
    calls: tuple[Function, ...]
    dead: frozenset[int] = frozenset()


class Linked(Struct, frozen=True):
    """The result: code, the maps it names, where every function came to lie, and which of them tail calls go on in."""

    code: bytes
    maps: tuple[BundleMap, ...]
    functions: tuple[Placed, ...]
    targets: tuple[Function, ...] = ()


class Plan(Struct, frozen=True):
    """What is linked: functions with their patches and with what of them cannot run, maps with what they hold at first."""

    functions: dict[Function, list[Patch]]
    maps: dict[MapKey, Initial]
    dead: dict[Function, frozenset[int]]


def functions(obj: elf.ObjectFile) -> Functions:
    """Return every function of the object by (section, start); raises Malformed when one lies outside its section."""
    found: Functions = {}
    for symbol in obj.symbols:
        if symbol.kind != elf.STT_FUNC or not elf.SHN_UNDEF < symbol.section < elf.SHN_LORESERVE:
            continue
        if symbol.section >= len(obj.sections):
            raise Malformed("elf-malformed", f"function `{symbol.name:.80}` lies in an unknown section")
        section = obj.sections[symbol.section]
        end = symbol.value + symbol.size
        if not symbol.size or (symbol.value | symbol.size) % INSN_BYTES or end > len(section.data):
            raise Malformed(
                "function-bounds",
                f"function `{symbol.name:.80}` lies outside its section: "
                f"got {symbol.size} bytes at {symbol.value} of {len(section.data)}",
            )
        found[symbol.section, symbol.value] = Function(symbol.name, symbol.section, symbol.value, symbol.size)
    typed = {section for section, _ in found}
    untyped = [one for one in obj.sections if one.executable and one.size and one.index not in typed]
    called = _called(obj) if untyped else {}
    for section in untyped:
        found |= _untyped_functions(obj, section, called.get(section.index, set()))
    return found


def _untyped_functions(obj: elf.ObjectFile, section: elf.Section, called: set[int]) -> Functions:
    """Of compilers and assemblers that gave symbols neither type nor size (LLVM before 8): a function begins at each global
    symbol and wherever a call goes (`called`), and ends where the next one begins."""
    symbols = [s for s in obj.symbols if s.section == section.index and s.kind == elf.STT_NOTYPE and s.name]
    names = {symbol.value: symbol.name for symbol in sorted(symbols, key=lambda s: s.bind != elf.STB_LOCAL)}
    starts = sorted({s.value for s in symbols if s.bind != elf.STB_LOCAL} | called & names.keys())
    whole = len(section.data) // INSN_BYTES * INSN_BYTES
    starts = [start for start in starts if start % INSN_BYTES == 0 and start < whole]
    return {
        (section.index, start): Function(names[start], section.index, start, end - start)
        for start, end in zip(starts, [*starts[1:], whole], strict=False)
    }


def _called(obj: elf.ObjectFile) -> dict[int, set[int]]:
    """Where calls of the object go, relocated or not, by section."""
    found: dict[int, set[int]] = {}
    for caller in obj.sections:
        if not caller.executable:
            continue
        rows = obj.relocations.get(caller.index, {})
        whole = len(caller.data) // INSN_BYTES * INSN_BYTES
        for number, (opcode, registers, _, imm) in enumerate(INSN.iter_unpack(caller.data[:whole])):
            if opcode != CALL or registers >> 4 != SRC_LOCAL_CALL:
                continue
            at = number * INSN_BYTES
            section, base = (rows[at].symbol.section, rows[at].symbol.value) if at in rows else (caller.index, at)
            found.setdefault(section, set()).add(base + (imm + 1) * INSN_BYTES)
    return found


class Terms(Struct, frozen=True):
    """What holds for all functions of a program: `followers` are the sections of programs that it may go on in."""

    followers: frozenset[int]
    numbers: Numbers = {}
    platform: capacity.Platform = "guest"


def link(obj: elf.ObjectFile, entry: Function, maps: MapTable, terms: Terms) -> Linked:
    """Link `entry` with all that it reaches."""
    plan = _Walk(obj, maps, terms).plan(entry)
    _check_no_recursion(plan.functions)
    return _emit(obj, plan, maps)


# --- plan -----------------------------------------------------------------------------------------------------------------


class _Walk:
    """Follows calls, addresses and entries of maps until nothing new is met."""

    def __init__(self, obj: elf.ObjectFile, maps: MapTable, terms: Terms) -> None:
        self.obj = obj
        self.maps = maps
        self.terms = terms
        self.known = functions(obj)
        self.found = Plan({}, {}, {})
        self.total = 0

    def plan(self, entry: Function) -> Plan:
        waiting = deque([entry])
        while waiting:
            function = waiting.popleft()
            if function not in self.found.functions:
                waiting += self.scan(function)
        return self.found

    def scan(self, function: Function) -> list[Function]:
        """Plan one function; return what it leads to."""
        self.total += function.size
        if self.total > MAX_CODE_BYTES or len(self.found.functions) >= MAX_FUNCTIONS:
            raise Unsupported(
                "limits",
                f"program is too large: got more than {len(self.found.functions)} functions with "
                f"{self.total // INSN_BYTES} instructions, "
                f"expected at most {MAX_FUNCTIONS} with {MAX_CODE_BYTES // INSN_BYTES}",
            )
        found = _Scan(self.obj, function, self.known, self.maps, self.terms.numbers.get(function.section, {}))
        patches = found.patches()
        self.found.functions[function] = patches
        self.found.dead[function] = found.dead
        held = [follower for patch in patches for follower in self.hold_at(function, patch)]
        return [patch.function for patch in patches if patch.function is not None] + held

    def hold_at(self, function: Function, patch: Patch) -> list[Function]:
        try:
            return self.hold(patch.map_key) if patch.map_key is not None else []
        except Rejection as error:
            error.at = self.obj.sections[function.section].name, function.start + patch.offset
            raise

    def hold(self, key: MapKey) -> list[Function]:
        """Plan one map, and those in it; return the functions that it holds."""
        if key in self.found.maps:
            return []
        self.check_size(key)
        held = initial.of_map(self.obj, self.maps, key, self.known, self.terms.followers)
        self.found.maps[key] = held
        for _, inner in held.maps:
            self.hold(inner)  # one level: a map of maps holds no maps of maps
        return [function for _, function in held.functions]

    def check_size(self, key: MapKey) -> None:
        entry = self.maps.defined.get(key)
        if entry is None:
            capacity.check_data(self.maps.data[key[0]], self.terms.platform)
            return
        if not entry.max_entries and entry.type not in SIZELESS:
            raise Unsupported(
                "map-definition",
                f"map `{entry.name:.80}` has no entries: its loader would say how many",
                hint=f"say it, `--max-entries {entry.name:.80}=N`, or in the definition, `__uint(max_entries, N)`",
            )
        capacity.check(entry, self.terms.platform)


class _Scan:
    """Turns the relocations and local calls of one function into patches."""

    def __init__(
        self, obj: elf.ObjectFile, function: Function, known: Functions, maps: MapTable, numbers: Mapping[int, int]
    ) -> None:
        self.obj = obj
        self.function = function
        self.known = known
        self.maps = maps
        self.section = obj.sections[function.section]
        self.relocations = obj.relocations.get(function.section, {})
        self.numbers = self.numbers_of(numbers)
        self.dead = frozenset(at * INSN_BYTES for at in self.unreached())

    def numbers_of(self, numbers: Mapping[int, int]) -> dict[int, int]:
        """What instructions of the function load, by their place: answers of CO-RE, and 0 for what does not exist here."""
        start, end = self.function.start, self.function.start + self.function.size
        places = range(start, end, INSN_BYTES)
        found = {at: numbers[at] for at in places if at in numbers} if numbers else {}
        for at in places:
            symbol = self.relocations[at].symbol if at in self.relocations else None
            is_absent = symbol is not None and symbol.section == elf.SHN_UNDEF and symbol.bind == elf.STB_WEAK
            if is_absent and self.section.data[at] == LDDW:
                found[at] = 0
        return found

    def unreached(self) -> set[int]:
        """The instructions that constants rule out; functions that load none are not looked at."""
        start, end = self.function.start, self.function.start + self.function.size
        places = (at for at in range(start, end, INSN_BYTES) if at in self.relocations and at not in self.numbers)
        loads = {(at - start) // INSN_BYTES: self.constant(at, self.relocations[at]) for at in places}
        if not any(loads.values()) and not self.numbers:
            return set()
        body = bytearray(self.section.data[start:end])
        for at, number in self.numbers.items():
            _write_number(body, at - start, number)
        slots = list(INSN.iter_unpack(body))
        contents = {index: entry.data for index, entry in self.maps.data.items() if entry.data is not None}
        return dead_code.unreached(slots, loads, contents)

    def constant(self, at: int, relocation: elf.Relocation) -> dead_code.Address | None:
        index = relocation.symbol.section
        entry = self.maps.data.get(index)
        fixed = entry is not None and entry.flags & BPF_F_RDONLY_PROG and not self.obj.relocations.get(index)
        if not fixed or relocation.kind != elf.R_BPF_64_64 or self.section.data[at] != LDDW:
            return None
        return dead_code.Address(index, relocation.symbol.value + INSN.unpack_from(self.section.data, at)[3])

    def patches(self) -> list[Patch]:
        found: list[Patch] = []
        start, end = self.function.start, self.function.start + self.function.size
        rows = INSN.iter_unpack(self.section.data[start:end])
        at = start
        for opcode, registers, _, imm in rows:
            width = 2 * INSN_BYTES if opcode == LDDW else INSN_BYTES
            if at + width > end:
                raise Malformed("function-bounds", f"function `{self.function.name:.80}` ends inside an instruction")
            if opcode in _NAMING or at in self.relocations or at in self.numbers:
                patch = self.patch_of(at, opcode, registers >> 4, imm)
                found += [patch] if patch is not None else []
            if opcode == LDDW:
                next(rows)
            at += width
        return found

    def patch_of(self, at: int, opcode: int, source: int, imm: int) -> Patch | None:
        if at - self.function.start in self.dead:
            return self.left_out(at, opcode, source)
        return self.number(at, opcode, source) if at in self.numbers else self.patch(at, opcode, source, imm)

    def left_out(self, at: int, opcode: int, source: int) -> Patch | None:
        """What cannot run may name what does not exist here: a call or an address becomes a number."""
        names = opcode in (CALL, CALL_REGISTER) or (opcode == LDDW and (source != SRC_NUMBER or at in self.relocations))
        return Patch(at - self.function.start) if names else None

    def number(self, at: int, opcode: int, source: int) -> Patch:
        if not _takes_number(opcode, source):
            raise Unsupported(
                "core-relocation", "an instruction without a number is to be given one (CO-RE)", at=self.place(at)
            )
        return Patch(at - self.function.start, number=self.numbers[at])

    def patch(self, at: int, opcode: int, source: int, imm: int) -> Patch | None:
        relocation = self.relocations.get(at)
        if opcode == LDDW:
            return self.load(at, source, imm, relocation)
        if opcode == CALL:
            return self.call(at, source, imm, relocation)
        if opcode == CALL_REGISTER:
            raise Unsupported("function-pointer", "a function is called through its address", at=self.place(at))
        if relocation is not None:
            raise Unsupported(
                "relocation-kind",
                f"relocation {relocation.kind} against `{relocation.symbol.name:.80}` applies to no call and no load",
                at=self.place(at),
            )
        return None

    def load(self, at: int, source: int, imm: int, relocation: elf.Relocation | None) -> Patch | None:
        if relocation is None:
            if source != SRC_NUMBER:
                raise Unsupported(
                    "map-reference", f"a 64-bit load with src_reg={source} has no relocation", at=self.place(at)
                )
            return None
        self.check(at, relocation, elf.R_BPF_64_64)
        symbol = relocation.symbol
        target = self.obj.sections[symbol.section]
        if is_maps(target.name):
            return self.map_load(at, symbol.section, symbol.value + imm)
        if target.executable:
            return self.call_of(at, symbol.section, symbol.value + imm)
        if target.index not in self.maps.data or not is_global_data(target.name):
            raise Unsupported(
                "relocation-target",
                f"`{symbol.name or target.name:.80}` lies in section `{target.name:.80}`, which is not loaded",
                at=self.place(at),
            )
        if self.obj.relocations.get(target.index):
            raise Unsupported(
                "data-relocation", f"section `{target.name:.80}` holds addresses of other symbols", at=self.place(at)
            )
        return self.data_load(at, target, symbol.value + imm)

    def check_not_refused(self, at: int, section: int, offset: int) -> None:
        refused = self.maps.refused.get((section, offset))
        if refused is not None:
            raise Unsupported(refused.rule, refused.message, hint=refused.hint, at=self.place(at))

    def map_load(self, at: int, section: int, offset: int) -> Patch:
        self.check_not_refused(at, section, offset)
        if (section, offset) not in self.maps.defined:
            raise Malformed("map-reference", f"no map is defined at byte {offset} of its section", at=self.place(at))
        return Patch(at - self.function.start, map_key=(section, offset))

    def data_load(self, at: int, target: elf.Section, offset: int) -> Patch:
        self.check_not_refused(at, target.index, offset)
        if not 0 <= offset <= target.size:
            raise Malformed(
                "map-reference",
                f"an address lies outside section `{target.name:.80}`: got byte {offset} of {target.size}",
                at=self.place(at),
            )
        return Patch(at - self.function.start, map_key=(target.index, 0), addend=offset)

    def call(self, at: int, source: int, imm: int, relocation: elf.Relocation | None) -> Patch | None:
        if source == SRC_KFUNC:
            raise Unsupported("kfunc-call", "a kernel function is called (kfunc)", at=self.place(at))
        if relocation is None:
            if source != SRC_LOCAL_CALL:
                return None
            return self.call_of(at, self.section.index, at + (imm + 1) * INSN_BYTES)
        self.check(at, relocation, elf.R_BPF_64_32)
        symbol = relocation.symbol
        return self.call_of(at, symbol.section, symbol.value + (imm + 1) * INSN_BYTES)

    def call_of(self, at: int, section: int, start: int) -> Patch:
        callee = self.known.get((section, start))
        if callee is None:
            name = self.obj.sections[section].name
            raise Malformed(
                "call-target", f"no function begins at byte {start} of section `{name:.80}`", at=self.place(at)
            )
        return Patch(at - self.function.start, function=callee)

    def check(self, at: int, relocation: elf.Relocation, kind: int) -> None:
        symbol = relocation.symbol
        if symbol.section == elf.SHN_UNDEF:
            raise self.undefined(symbol, at)
        if relocation.kind != kind or symbol.section >= len(self.obj.sections):
            raise Unsupported(
                "relocation-kind",
                f"relocation against `{symbol.name:.80}` has the wrong kind: got {relocation.kind}, expected {kind}",
                at=self.place(at),
            )

    def undefined(self, symbol: elf.Symbol, at: int) -> Unsupported:
        if symbol.bind == elf.STB_WEAK:
            return Unsupported(
                "extern-symbol",
                f"`{symbol.name:.80}` is weak and does not exist here, but it is called",
                hint=f"call it only where `if ({symbol.name:.80})` holds: its address is 0",
                at=self.place(at),
            )
        return Unsupported("extern-symbol", f"`{symbol.name:.80}` is declared but not defined", at=self.place(at))

    def place(self, at: int) -> tuple[str, int]:
        return self.section.name, at


def _check_no_recursion(plan: dict[Function, list[Patch]]) -> None:
    """Repeatedly drop functions that call, or are called by, nobody who is left; what remains calls itself."""
    left = {function: {patch.function for patch in patches if patch.function} for function, patches in plan.items()}
    while left:
        called = set().union(*left.values())
        on_a_path = {function: callees & left.keys() for function, callees in left.items() if function in called}
        kept = {function: callees for function, callees in on_a_path.items() if callees}
        if len(kept) == len(left):
            names = ", ".join(sorted(f"`{function.name:.40}`" for function in left)[:4])
            raise Unsupported("recursion", f"functions call each other in a circle: {names}")
        left = kept


# --- apply ----------------------------------------------------------------------------------------------------------------


def _emit(obj: elf.ObjectFile, plan: Plan, maps: MapTable) -> Linked:
    bases: dict[Function, int] = {}
    total = 0
    for function in plan.functions:
        bases[function] = total
        total += function.size // INSN_BYTES
    used = _used_maps(plan, maps)
    index = {key: number for number, key in enumerate(used)}
    code = bytearray()
    for function, patches in plan.functions.items():
        body = bytearray(obj.sections[function.section].data[function.start : function.start + function.size])
        for patch in patches:
            _apply(body, patch, bases[function], bases, index)
        code += body
    placed = tuple(
        Placed(
            function, bases[function], tuple(patch.function for patch in patches if patch.function), plan.dead[function]
        )
        for function, patches in plan.functions.items()
    )
    filled = tuple(_filled(entry, plan.maps[key], bases, index) for key, entry in used.items())
    targets = {function: None for held in plan.maps.values() for _, function in held.functions}
    return Linked(bytes(code), filled, placed, tuple(targets))


def _filled(entry: BundleMap, held: Initial, bases: dict[Function, int], index: dict[MapKey, int]) -> BundleMap:
    entries = [(at, bases[function]) for at, function in held.functions] + [(at, index[key]) for at, key in held.maps]
    return replace(entry, entries=tuple(entries)) if entries else entry


def _used_maps(plan: Plan, maps: MapTable) -> dict[MapKey, BundleMap]:
    known = maps.defined | {(section, 0): entry for section, entry in maps.data.items()}
    used = {key: entry for key, entry in known.items() if key in plan.maps}
    if len(used) > MAX_MAPS:
        raise Unsupported("limits", f"too many maps: got {len(used)}, expected at most {MAX_MAPS}")
    return used


def _apply(body: bytearray, patch: Patch, base: int, bases: dict[Function, int], index: dict[MapKey, int]) -> None:
    opcode, registers, offset, _ = INSN.unpack_from(body, patch.offset)
    if patch.function is not None:
        distance = bases[patch.function] - (base + patch.offset // INSN_BYTES) - 1
        loads = opcode == LDDW
        registers = registers & 15 | SRC_FUNCTION << 4 if loads else registers
        INSN.pack_into(body, patch.offset, opcode, registers, offset, distance)
        if loads:
            INSN.pack_into(body, patch.offset + INSN_BYTES, 0, 0, 0, 0)
    elif patch.map_key is not None:
        source = SRC_MAP if patch.addend is None else SRC_MAP_VALUE
        INSN.pack_into(body, patch.offset, opcode, registers & 15 | source << 4, offset, index[patch.map_key])
        INSN.pack_into(body, patch.offset + INSN_BYTES, 0, 0, 0, patch.addend or 0)
    elif opcode == LDDW or patch.number is not None:
        _write_number(body, patch.offset, patch.number or 0)
    else:
        INSN.pack_into(body, patch.offset, MOV64_IMM, 0, 0, 0)


# --- numbers --------------------------------------------------------------------------------------------------------------


def _takes_number(opcode: int, source: int) -> bool:
    """Whether an instruction has a number of its own: a 64-bit load, or arithmetic with an immediate (RFC 9669 4.1)."""
    return opcode == LDDW or (opcode & 7 in _ARITHMETIC and not opcode & _OF_REGISTER and source == 0)


def _write_number(body: bytearray, at: int, number: int) -> None:
    opcode, registers, offset, _ = INSN.unpack_from(body, at)
    low = number & _U32
    INSN.pack_into(body, at, opcode, registers & 15, offset, low - (1 << 32) if low >> 31 else low)
    if opcode == LDDW:
        high = number >> 32 & _U32
        INSN.pack_into(body, at + INSN_BYTES, 0, 0, 0, high - (1 << 32) if high >> 31 else high)
