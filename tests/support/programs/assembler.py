"""eBPF assembly for tests, encoded by the guest's own opcode table (`unibpf-run --opcodes`): there is no second one.

A line is `mnemonic operands`, a `label:`, or a `# comment`. A mnemonic is a row's name; where a row has forms `_imm` and
`_reg`, the last value operand says which. Memory operands are written `[r1+4]`, 64-bit loads take one number.

    add64 r0, 1          lddw r0, 0x1122334455667788     ldxw r0, [r1+4]        stxw [r10-8], r0    stw [r10-8], 5
    jeq64 r1, 0, end     lddw_map r1, 0                  lddw_map_value r1, 0, 8                    atomic_add64 [r1+0], r2
    ja end               call_helper 5                   call_local function    be16 r0             exit
    lddw_function r2, function
"""

import json
import re
import struct
import subprocess
from pathlib import Path
from typing import Any, Final

_MEMORY: Final = re.compile(r"\[r(\d+)([+-](?:0x)?[0-9a-fA-F]+)?\]")
_REGISTER: Final = re.compile(r"r(\d+)")

Row = dict[str, Any]


class Assembler:
    """Turns text into bytes. Raises ValueError with the line that it cannot read."""

    def __init__(self, run_executable: Path) -> None:
        output = subprocess.run([run_executable, "--opcodes"], capture_output=True, check=True).stdout
        self.rows: dict[str, Row] = {row["name"]: row for row in json.loads(output)}

    def assemble(self, text: str) -> tuple[bytes, list[str]]:
        """Return the code and the name of the row that each instruction used."""
        lines, labels = self._read(text)
        code = bytearray()
        for row, operands in lines:
            code += _encode(row, operands, labels, len(code) // 8)
        return bytes(code), [row["name"] for row, _ in lines]

    def labels(self, text: str) -> dict[str, int]:
        """Return the instruction that each label stands at."""
        return self._read(text)[1]

    def _read(self, text: str) -> tuple[list[tuple[Row, list[str]]], dict[str, int]]:
        lines: list[tuple[Row, list[str]]] = []
        labels: dict[str, int] = {}
        slot = 0
        for line in (raw.split("#")[0].strip() for raw in text.splitlines()):
            if line.endswith(":"):
                labels[line[:-1]] = slot
            elif line:
                mnemonic, _, rest = line.partition(" ")
                operands = [part.strip() for part in rest.split(",")] if rest.strip() else []
                row = self._row(mnemonic, operands, line)
                lines.append((row, operands))
                slot += 2 if row["category"] == "load_imm64" else 1
        return lines, labels

    def _row(self, mnemonic: str, operands: list[str], line: str) -> Row:
        if mnemonic in self.rows:
            return self.rows[mnemonic]
        last = operands[-2] if mnemonic.startswith("j") else operands[-1]
        row = self.rows.get(mnemonic + ("_reg" if _REGISTER.fullmatch(last) else "_imm"))
        if row is None:
            raise ValueError(f"no such instruction: {line!r}")
        return row


def slot(opcode: int, *, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0) -> bytes:
    """Return one raw slot (RFC 9669 3), whatever its fields mean."""
    return struct.pack("<BBhI", opcode, src << 4 | dst, offset, imm & 0xFFFFFFFF)


def _encode(row: Row, operands: list[str], labels: dict[str, int], here: int) -> bytes:
    if row["category"] == "load_imm64":
        value = labels[operands[1]] - here - 1 if operands[1] in labels else int(operands[1], 0)
        high = int(operands[2], 0) if len(operands) > 2 else 0 if row["name"] == "lddw_function" else value >> 32
        return slot(row["opcode"], dst=_register(operands[0]), src=row["src"], imm=value) + slot(0, imm=high)
    fields = {"dst": 0, "src": 0, "offset": 0, "imm": 0}
    if row["category"] in ("jump", "branch", "call_local"):
        label = operands.pop()
        distance = labels[label] - here - 1 if label in labels else int(label, 0)
        fields["offset" if row["offset"] is None else "imm"] = distance
    if operands:
        _OPERANDS[row["category"]](row, operands, fields)
    for name in fields:
        if row[name] is not None:
            fields[name] = row[name]
    return slot(row["opcode"], **fields)


def _destination(row: Row, operands: list[str], fields: dict[str, int]) -> None:
    fields["dst"] = _register(operands[0])
    if len(operands) > 1:
        _operand(row, operands[1], fields)


def _load(_row: Row, operands: list[str], fields: dict[str, int]) -> None:
    fields["dst"] = _register(operands[0])
    fields["src"], fields["offset"] = _memory(operands[1])


def _store(row: Row, operands: list[str], fields: dict[str, int]) -> None:
    fields["dst"], fields["offset"] = _memory(operands[0])
    _operand(row, operands[1], fields)


def _helper(_row: Row, operands: list[str], fields: dict[str, int]) -> None:
    fields["imm"] = int(operands[0], 0)


def _operand(row: Row, text: str, fields: dict[str, int]) -> None:
    if row["src_operand"]:
        fields["src"] = _register(text)
    else:
        fields["imm"] = int(text, 0)


def _register(text: str) -> int:
    match = _REGISTER.fullmatch(text)
    if match is None:
        raise ValueError(f"not a register: {text!r}")
    return int(match[1])


def _memory(text: str) -> tuple[int, int]:
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ValueError(f"not a memory operand: {text!r}")
    return int(match[1]), int(match[2] or "0", 0)


_OPERANDS: Final = {
    "alu": _destination,
    "branch": _destination,
    "move_sx": _destination,
    "endian": _destination,
    "load": _load,
    "load_sx": _load,
    "store": _store,
    "store_imm": _store,
    "atomic": _store,
    "call_helper": _helper,
}
