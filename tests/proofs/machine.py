"""Runs functions of LLVM's intermediate representation on symbolic words (z3): every path at once.

Blocks run in reverse post-order, once a round of their loop; what comes to one block by several ways is merged (if-then-else).
A loop ends when its condition is impossible, which the solver says; one that does not within MOST_ROUNDS is refused. Memory is
bytes in objects that do not overlap; pointers are known objects at known distances, or a choice of such. Undefined behaviour is
not looked for: arithmetic wraps, which is one of the meanings that it may have.
"""

import heapq
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

import z3

from tests.proofs.ir import Function, Instruction, Module, UnknownCodeError, operands

MOST_ROUNDS: Final = 12
_WIDTH: Final = re.compile(r"^i(\d+)$")
_TRUE: Final = z3.BoolVal(True)


@dataclass(frozen=True)
class Pointer:
    """Where it may point: (when, object, offset); the conditions are exclusive and complete."""

    places: tuple[tuple[z3.BoolRef, int, int], ...]

    def moved(self, by: int) -> "Pointer":
        return Pointer(tuple((when, thing, at + by) for when, thing, at in self.places))


Value = z3.BitVecRef | Pointer | tuple[Any, ...]


Pieces = tuple[tuple[int, z3.BitVecRef], ...]  # (first byte, word), one after the other


@dataclass
class Memory:
    """Objects by number, in the pieces that were last written, so that a word comes back as it was stored."""

    objects: dict[int, Pieces] = field(default_factory=dict)

    def copy(self) -> "Memory":
        return Memory(dict(self.objects))

    def load(self, pointer: Pointer, size: int) -> z3.BitVecRef:
        words = [(when, self._word(thing, at, size)) for when, thing, at in pointer.places]
        return reduce(lambda rest, one: choose(one[0], one[1], rest), reversed(words[:-1]), words[-1][1])

    def _word(self, thing: int, at: int, size: int) -> z3.BitVecRef:
        found = [word for start, word in _cut(self.objects[thing], at, size) if at <= start < at + size]
        return found[0] if len(found) == 1 else z3.Concat(*reversed(found))

    def store(self, pointer: Pointer, word: z3.BitVecRef) -> None:
        for when, thing, start in pointer.places:
            new = choose(when, word, None if z3.is_true(when) else self._word(thing, start, word.size() // 8))
            self.replace(thing, ((start, new),))

    def replace(self, thing: int, pieces: Pieces) -> None:
        """Put pieces, which lie one after the other, in the place of what is there."""
        start, end = pieces[0][0], pieces[-1][0] + pieces[-1][1].size() // 8
        rest = _cut(self.objects[thing], start, end - start)
        self.objects[thing] = tuple(
            sorted((*(one for one in rest if not start <= one[0] < end), *pieces), key=lambda one: one[0])
        )

    def pieces(self, thing: int, start: int, size: int) -> Pieces:
        return tuple(one for one in _cut(self.objects[thing], start, size) if start <= one[0] < start + size)


def _cut(pieces: Pieces, start: int, size: int) -> Pieces:
    """The same, with a seam at both ends of a range."""
    last, word = pieces[-1]
    if start < 0 or start + size > last + word.size() // 8:
        raise UnknownCodeError(f"{size} bytes at {start} of an object of {last + word.size() // 8}")
    for seam in (start, start + size):
        pieces = tuple(part for piece in pieces for part in _halves(piece, seam))
    return pieces


def _halves(piece: tuple[int, z3.BitVecRef], seam: int) -> Pieces:
    start, word = piece
    if not start < seam < start + word.size() // 8:
        return (piece,)
    bits = 8 * (seam - start)
    return (start, z3.Extract(bits - 1, 0, word)), (seam, z3.Extract(word.size() - 1, bits, word))


def choose(when: z3.BoolRef, one: Any, other: Any) -> Any:
    """Return `one` where the condition holds, else `other`: words, pointers or tuples of them."""
    if z3.is_true(when):
        return one
    if z3.is_false(when):
        return other
    if isinstance(one, tuple):
        return tuple(choose(when, a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Pointer):
        return _choose_pointer(when, one, other)
    return one if one.eq(other) else z3.If(when, one, other)


def _choose_pointer(when: z3.BoolRef, one: Pointer, other: Pointer) -> Pointer:
    if one.places == other.places:
        return one
    places = [(z3.And(when, w), t, a) for w, t, a in one.places] + [
        (z3.And(z3.Not(when), w), t, a) for w, t, a in other.places
    ]
    return Pointer(tuple((z3.simplify(w), t, a) for w, t, a in places if not z3.is_false(z3.simplify(w))))


@dataclass
class _Arrival:
    """One way into a block: when, from where, with what."""

    when: z3.BoolRef
    before: str
    names: dict[str, Value]
    memory: Memory


# Whether a claim follows from what is known; None: nobody can say in time.
Ask = Callable[[list[z3.BoolRef], z3.BoolRef], bool | None]
Contract = Callable[["Machine", list[Value], Memory], Value | None]


class Machine:
    """Modules, what stands for functions that are proved apart (contracts), and the facts that contracts promise."""

    def __init__(self, modules: list[Module], contracts: Mapping[str, Contract]) -> None:
        self._modules = modules
        self._contracts = contracts
        self.facts: list[z3.BoolRef] = []
        self.known: list[z3.BoolRef] = []  # what holds from the beginning
        self.path: z3.BoolRef = _TRUE  # what holds where the machine is
        self.ask: Ask = lambda _known, _claim: None
        # By function: what holds whenever its loop begins anew (returns the memory with nothing but that known of it).
        self.invariants: dict[str, Callable[[Memory], Memory]] = {}
        self._objects = 0
        self._orders: dict[int, dict[str, int]] = {}

    def add_object(self, memory: Memory, content: Pieces) -> Pointer:
        self._objects += 1
        memory.objects[self._objects] = content
        return Pointer(((_TRUE, self._objects, 0),))

    def fresh(self, size: int) -> Pieces:
        return ((0, z3.FreshConst(z3.BitVecSort(8 * size), "memory")),)

    def call(
        self, name: str, arguments: list[Value], memory: Memory, module: Module | None = None
    ) -> tuple[Value | None, Memory]:
        """Run a function; returns its result and the memory afterwards."""
        if name in self._contracts:
            memory = memory.copy()
            return self._contracts[name](self, arguments, memory), memory
        for candidate in ([module] if module else []) + self._modules:
            if name in candidate:
                return self._run(candidate[name], candidate, arguments, memory)
        raise UnknownCodeError(f"call of {name}")

    def follows(self, claims: list[z3.BoolRef]) -> bool:
        """Whether all claims hold here."""
        return all(self.ask([*self.known, *self.facts, self.path], claim) for claim in claims)

    # --- one function

    def _run(
        self, function: Function, module: Module, arguments: list[Value], memory: Memory
    ) -> tuple[Value | None, Memory]:
        order = self._order(function)
        first = next(iter(function.blocks))
        names = {name: value for (_, name), value in zip(function.parameters, arguments, strict=True)}
        arrivals: dict[tuple[int, int], list[_Arrival]] = {(0, order[first]): [_Arrival(_TRUE, "", names, memory)]}
        queue = [(0, order[first])]
        outer = self.path
        labels = {place: label for label, place in order.items()}
        ends: list[tuple[z3.BoolRef, Value | None, Memory]] = []
        while queue:
            key = heapq.heappop(queue)
            self.path = outer
            for label, arrival in self._block(function, module, labels[key[1]], arrivals.pop(key), ends):
                target = (key[0] + (order[label] <= key[1]), order[label])
                if target[0] > key[0]:
                    if not self._possible(arrival.when, target[0], function.name):
                        continue
                    self._begin_anew(function.name, outer, arrival)
                if target not in arrivals:
                    heapq.heappush(queue, target)
                arrivals.setdefault(target, []).append(arrival)
        self.path = outer
        if not ends:
            raise UnknownCodeError(f"{function.name} never returns")
        when, value, after = ends[-1]
        for when, one, content in reversed(ends[:-1]):
            value = None if one is None else choose(when, one, value)
            after = _merge_memory(when, content, after)
        return value, after

    def _begin_anew(self, name: str, outer: z3.BoolRef, arrival: _Arrival) -> None:
        if name in self.invariants:
            self.path = z3.And(outer, arrival.when)
            arrival.memory = self.invariants[name](arrival.memory)

    def _possible(self, when: z3.BoolRef, rounds: int, name: str) -> bool:
        if z3.is_true(when):
            possible = True
        else:
            solver = z3.Solver()
            solver.set("timeout", 20_000)
            solver.add(*self.facts, when)
            possible = solver.check() != z3.unsat
        if possible and rounds > MOST_ROUNDS:
            raise UnknownCodeError(f"a loop of {name} goes on")
        return possible

    def _order(self, function: Function) -> dict[str, int]:
        if id(function) not in self._orders:
            self._orders[id(function)] = _reverse_post_order(function)
        return self._orders[id(function)]

    def _block(
        self,
        function: Function,
        module: Module,
        label: str,
        arrivals: list[_Arrival],
        ends: list[tuple[z3.BoolRef, Value | None, Memory]],
    ) -> list[tuple[str, _Arrival]]:
        when, names, memory = _merge(arrivals)
        self.path = z3.simplify(z3.And(self.path, when))
        instructions = function.blocks[label]
        phis = [one for one in instructions if one.code == "phi"]
        names.update({str(one.result): _phi(one, arrivals) for one in phis})
        step = _Step(self, module, names, memory)
        for one in instructions[len(phis) :]:
            if one.code == "ret":
                ends.append((when, step.result(one), step.memory))
                return []
            if one.code in {"br", "switch"}:
                ways = step.ways(one)
                return [
                    (target, _Arrival(both, label, step.names, step.memory))
                    for target, condition in ways
                    if not z3.is_false(both := z3.simplify(z3.And(when, condition)))
                ]
            if one.code == "unreachable":
                return []
            step.run(one)
        raise UnknownCodeError(f"block {label} of {function.name} has no end")


def _merge(arrivals: list[_Arrival]) -> tuple[z3.BoolRef, dict[str, Value], Memory]:
    last = arrivals[-1]
    names, memory, when = dict(last.names), last.memory.copy(), last.when
    for one in reversed(arrivals[:-1]):
        names = {name: choose(one.when, value, names[name]) for name, value in one.names.items() if name in names}
        memory = _merge_memory(one.when, one.memory, memory)
        when = z3.simplify(z3.Or(one.when, when))
    return when, names, memory


def _merge_memory(when: z3.BoolRef, one: Memory, other: Memory) -> Memory:
    shared = one.objects.keys() & other.objects.keys()
    return Memory({thing: _merge_pieces(when, one.objects[thing], other.objects[thing]) for thing in shared})


def _merge_pieces(when: z3.BoolRef, one: Pieces, other: Pieces) -> Pieces:
    if one is other:
        return one
    for seam, _ in (*one, *other):
        one = tuple(part for piece in one for part in _halves(piece, seam))
        other = tuple(part for piece in other for part in _halves(piece, seam))
    return tuple((start, choose(when, a, b)) for (start, a), (_, b) in zip(one, other, strict=True))


def _phi(one: Instruction, arrivals: list[_Arrival]) -> Value:
    kind, _, rest = one.text.removeprefix("phi ").partition(" ")
    ways = dict(reversed(pair) for pair in re.findall(r"\[ ([^,]+), %([\w.]+) \]", rest))
    values = [(arrival.when, _value(ways[arrival.before], kind, arrival.names)) for arrival in arrivals]
    return reduce(lambda rest, pair: choose(pair[0], pair[1], rest), reversed(values[:-1]), values[-1][1])


def _value(text: str, kind: str, names: Mapping[str, Value]) -> Value:
    text = text.strip()
    if text.startswith("%"):
        return names[text]
    width = _WIDTH.match(kind)
    if width is None:
        raise UnknownCodeError(f"{kind} {text}")
    if text in {"poison", "undef"}:
        return z3.FreshConst(z3.BitVecSort(int(width[1])), "undefined")
    return z3.BitVecVal({"true": 1, "false": 0}.get(text, 0) if text in {"true", "false"} else int(text), int(width[1]))


def _reverse_post_order(function: Function) -> dict[str, int]:
    done: list[str] = []
    seen: set[str] = set()

    def visit(label: str) -> None:
        seen.add(label)
        targets = re.findall(r"label %([\w.]+)", function.blocks[label][-1].text)
        for target in reversed(targets):
            if target not in seen:
                visit(target)
        done.append(label)

    visit(next(iter(function.blocks)))
    return {label: place for place, label in enumerate(reversed(done))}


# --- instructions ------------------------------------------------------------------------------------------------------------

_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "and": lambda a, b: a & b,
    "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b, "shl": lambda a, b: a << b, "lshr": z3.LShR,
    "ashr": lambda a, b: a >> b, "udiv": z3.UDiv, "urem": z3.URem, "sdiv": lambda a, b: a / b, "srem": z3.SRem,
}  # fmt: skip
_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "ult": z3.ULT, "ule": z3.ULE, "ugt": z3.UGT, "uge": z3.UGE,
    "slt": lambda a, b: a < b, "sle": lambda a, b: a <= b, "sgt": lambda a, b: a > b, "sge": lambda a, b: a >= b,
}  # fmt: skip
_IGNORED: Final = ("llvm.lifetime", "llvm.experimental", "llvm.assume")


class _Step:
    """What the instructions of one block do to names and memory."""

    def __init__(self, machine: Machine, module: Module, names: dict[str, Value], memory: Memory) -> None:
        self.machine, self.module, self.names, self.memory = machine, module, names, memory

    def run(self, one: Instruction) -> None:
        method = getattr(self, f"_{one.code}", None)
        if one.code in _ARITHMETIC:
            value: Value | None = self._arithmetic(one)
        elif method is None:
            raise UnknownCodeError(one.text)
        else:
            value = method(one.text.removeprefix(one.code).strip())
        if one.result is not None and value is not None:
            self.names[one.result] = z3.simplify(value) if isinstance(value, z3.ExprRef) else value

    def value(self, typed: str) -> Value:
        kind, _, text = typed.strip().rpartition(" ")
        return _value(text, kind.strip(), self.names)

    def result(self, one: Instruction) -> Value | None:
        rest = one.text.removeprefix("ret").strip()
        return None if rest == "void" else self.value(rest)

    def ways(self, one: Instruction) -> list[tuple[str, z3.BoolRef]]:
        labels = re.findall(r"label %([\w.]+)", one.text)
        if one.code == "br":
            if len(labels) == 1:
                return [(labels[0], _TRUE)]
            condition = _holds(self.value(operands(one.text.removeprefix("br"))[0]))
            return [(labels[0], condition), (labels[1], z3.simplify(z3.Not(condition)))]
        word: Any = self.value(operands(one.text.removeprefix("switch"))[0])
        cases = re.findall(r"i\d+ (-?\d+), label %([\w.]+)", one.text.partition("[")[2])
        ways = [(label, z3.simplify(word == int(number))) for number, label in cases]
        return [*ways, (labels[0], z3.simplify(z3.Not(z3.Or(*[condition for _, condition in ways]))))]

    def _arithmetic(self, one: Instruction) -> Value:
        left, right = operands(one.text.removeprefix(one.code))
        kind = left.rpartition(" ")[0].strip()
        a, b = self.value(left), _value(right, kind, self.names)
        return _ARITHMETIC[one.code](a, b)

    def _icmp(self, text: str) -> Value:
        test, _, rest = text.partition(" ")
        left, right = operands(rest)
        kind = left.rpartition(" ")[0].strip()
        a, b = self.value(left), _value(right, kind, self.names)
        if isinstance(a, Pointer) and isinstance(b, Pointer):
            same = z3.Or(*[z3.And(v, w) for v, t, x in a.places for w, u, y in b.places if (t, x) == (u, y)])
            return _bit(same if test == "eq" else z3.Not(same))
        return _bit(_COMPARISONS[test](a, b))

    def _select(self, text: str) -> Value:
        condition, one, other = operands(text)
        return choose(z3.simplify(_holds(self.value(condition))), self.value(one), self.value(other))

    def _zext(self, text: str) -> Value:
        value, width = self._widening(text)
        return z3.ZeroExt(width - value.size(), value)

    def _sext(self, text: str) -> Value:
        value, width = self._widening(text)
        return z3.SignExt(width - value.size(), value)

    def _trunc(self, text: str) -> Value:
        value, width = self._widening(text)
        return z3.Extract(width - 1, 0, value)

    def _freeze(self, text: str) -> Value:
        return self.value(text)

    def _widening(self, text: str) -> tuple[Any, int]:
        typed, _, kind = text.partition(" to ")
        return self.value(typed), int(kind.strip()[1:])

    def _alloca(self, text: str) -> Value:
        kind = operands(text)[0]
        return self.machine.add_object(self.memory, self.machine.fresh(_size_of(kind)))

    def _getelementptr(self, text: str) -> Value:
        kind, base, index = operands(text)
        number = z3.simplify(self.value(index))
        pointer: Any = self.value(base)
        return pointer.moved(number.as_signed_long() * _size_of(kind))

    def _load(self, text: str) -> Value:
        kind, pointer = operands(text)[:2]
        width = int(kind[1:])
        word = self.memory.load(self.value(pointer), (width + 7) // 8)
        return z3.Extract(width - 1, 0, word) if word.size() != width else word

    def _store(self, text: str) -> None:
        typed, pointer = operands(text)[:2]
        word: Any = self.value(typed)
        size = (word.size() + 7) // 8
        self.memory = self.memory.copy()
        self.memory.store(self.value(pointer), z3.ZeroExt(8 * size - word.size(), word) if word.size() % 8 else word)

    def _extractvalue(self, text: str) -> Value:
        typed, index = text.rsplit(",", 1)
        value: Any = self.names[typed.rsplit(" ", 1)[1]]
        return value[int(index)]

    def _call(self, text: str) -> Value | None:
        found = re.match(r".*?@([\w.]+)\((.*)\)", text)
        if found is None:
            raise UnknownCodeError(text)
        name, arguments = found[1], operands(found[2])
        if name.startswith(_IGNORED):
            return None
        if name.startswith("llvm.memcpy"):
            return self._copy(*arguments[:3])
        if name.startswith("llvm."):
            return _intrinsic(name, [self.value(one) for one in arguments])
        value, self.memory = self.machine.call(name, [self.value(one) for one in arguments], self.memory, self.module)
        return value

    def _copy(self, target: str, source: str, size: str) -> None:
        number = z3.simplify(self.value(size)).as_long()
        to, origin = self.value(target), self.value(source)
        self.memory = self.memory.copy()
        if not isinstance(to, Pointer) or not isinstance(origin, Pointer):
            raise UnknownCodeError("a copy between numbers")
        if len(to.places) == len(origin.places) == 1:
            [(_, thing, at)], [(_, other, start)] = to.places, origin.places
            pieces = self.memory.pieces(other, start, number)
            self.memory.replace(thing, tuple((place - start + at, word) for place, word in pieces))
        else:
            self.memory.store(to, self.memory.load(origin, number))


def _holds(bit: Any) -> z3.BoolRef:
    return z3.simplify(bit == 1)


def _bit(condition: z3.BoolRef) -> z3.BitVecRef:
    return z3.If(condition, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))


def _size_of(kind: str) -> int:
    kind = kind.strip()
    if found := re.match(r"^\[(\d+) x (.*)\]$", kind):
        return int(found[1]) * _size_of(found[2])
    if found := _WIDTH.match(kind):
        return (int(found[1]) + 7) // 8
    if "Scalar" in kind:
        return 64
    raise UnknownCodeError(f"size of {kind}")


def _intrinsic(name: str, arguments: list[Any]) -> Value:
    what = name.split(".")[1]
    a = arguments[0]
    b = arguments[1] if len(arguments) > 1 else None
    width = a.size()
    if what in {"umin", "umax", "smin", "smax"}:
        less = z3.ULT(a, b) if what[0] == "u" else a < b
        return z3.If(less if what.endswith("min") else z3.Not(less), a, b)
    if what in _OVERFLOWS:
        return _overflowing(what, a, b)
    counts: dict[str, Callable[[Any], Any]] = {
        "ctlz": lambda word: _zeros(word, range(width)),
        "cttz": lambda word: _zeros(word, range(width - 1, -1, -1)),
        "ctpop": lambda word: reduce(
            lambda x, y: x + y, [z3.ZeroExt(width - 1, z3.Extract(at, at, word)) for at in range(width)]
        ),
        "bswap": lambda word: z3.Concat(*[z3.Extract(at + 7, at, word) for at in range(0, width, 8)]),
        "abs": lambda word: z3.If(word < 0, -word, word),
    }
    if what not in counts:
        raise UnknownCodeError(name)
    return counts[what](a)


def _zeros(word: Any, places: range) -> Any:
    """How many zeros come before the first one, from the end at which the range ends."""
    count = z3.BitVecVal(word.size(), word.size())
    for at in places:
        before = word.size() - 1 - at if places.step > 0 else at
        count = z3.If(z3.Extract(at, at, word) == 1, z3.BitVecVal(before, word.size()), count)
    return count


_OVERFLOWS: Final = {f"{sign}{what}": (sign, what) for sign in "us" for what in ("add", "sub", "mul")}


def _overflowing(what: str, a: Any, b: Any) -> tuple[Any, Any]:
    """The result, and whether the one of twice the width is another."""
    sign, operation = _OVERFLOWS[what]
    width = a.size()
    extend = z3.ZeroExt if sign == "u" else z3.SignExt
    more = width if operation == "mul" else 1
    wide = _ARITHMETIC[operation](extend(more, a), extend(more, b))
    result = _ARITHMETIC[operation](a, b)
    return result, _bit(extend(more, result) != wide)
