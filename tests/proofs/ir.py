"""LLVM's intermediate representation, as much of it as the scalar domain is compiled to, read from text into instructions.

Source: LLVM Language Reference. What is not known here is refused by name, never skipped: a proof is about all of the code.
"""

import re
from dataclasses import dataclass, field
from typing import Final

_DEFINE: Final = re.compile(r"^define (?P<head>.*?)@(?P<name>[\w.$]+)\((?P<parameters>.*)\) (?P<rest>.*)\{$")
_LABEL: Final = re.compile(r"^(?P<name>[\w.]+):")
_NAME: Final = r"%[\w.]+"
# What says nothing of the value: attributes, and promises of the compiler to itself (ignoring them makes proofs stronger).
_NOISE: Final = re.compile(
    r"\b(?:noundef|zeroext|signext|nonnull|nocapture|noalias|readonly|writeonly|writable|dead_on_unwind|immarg|inreg|returned|"
    r"nuw|nsw|exact|inbounds|disjoint|nneg|tail|fastcc|samesign)\b ?|"
    r"\b(?:align \d+|dereferenceable\(\d+\)|sret\([^)]*\)|captures\([^)]*\)|range\([^)]*\)) ?|"
    r"#\d+|, !\w[\w.]*(?: !\d+)?|local_unnamed_addr"
)


class UnknownCodeError(Exception):
    """The compiler used something that the proofs do not know."""


@dataclass(frozen=True)
class Instruction:
    """One line: what is done, to what, the name of the result if there is one, and the whole text for messages."""

    result: str | None
    code: str
    text: str


@dataclass
class Function:
    """Blocks in their order, each a list of instructions; the first is the entry."""

    name: str
    parameters: list[tuple[str, str]]  # type, name
    blocks: dict[str, list[Instruction]] = field(default_factory=dict)


Module = dict[str, Function]


def read(text: str) -> Module:
    """Return the functions that a module defines, by name."""
    functions: Module = {}
    current: Function | None = None
    block = ""
    for line in _joined(text):
        if current is None:
            if found := _DEFINE.match(line):
                current = Function(found["name"], _parameters(found["parameters"]))
                block = _entry_label(current)
                current.blocks[block] = []
        elif line == "}":
            functions[current.name] = current
            current = None
        elif found := _LABEL.match(line):
            block = found["name"]
            current.blocks[block] = []
        elif line.strip() and not line.strip().startswith(";"):
            current.blocks[block].append(_instruction(line.strip()))
    return functions


def _joined(text: str) -> list[str]:
    """A switch stands on several lines."""
    return re.sub(r"\[\n((?:.*\n)*?) *\]", lambda m: "[" + " ; ".join(m[1].split("\n")) + "]", text).splitlines()


def _entry_label(function: Function) -> str:
    """Unnamed values are numbered: parameters first, then the entry block."""
    return str(len(function.parameters))


def _parameters(text: str) -> list[tuple[str, str]]:
    found = []
    for part in filter(None, (one.strip() for one in _split(_clean(text)))):
        kind, _, name = part.rpartition(" ")
        found.append((kind.strip(), name))
    return found


def _instruction(line: str) -> Instruction:
    text = _clean(line).strip()
    found = re.match(rf"^({_NAME}) = (.*)$", text)
    result, rest = (found[1], found[2]) if found else (None, text)
    code, _, _ = rest.partition(" ")
    return Instruction(result, code, rest)


def _clean(text: str) -> str:
    return re.sub(r"  +", " ", _NOISE.sub("", text))


def _split(text: str) -> list[str]:
    """Split at commas outside brackets."""
    return re.split(r",(?![^()\[\]{}]*[)\]}])", text)


def operands(text: str) -> list[str]:
    """Return what stands between the commas."""
    return [one.strip() for one in _split(text)]
