"""Write `bundle.txt`: golden bundles that the Python codec and the guest's and the analyser's decoders must agree on.

Run as `python schemas/golden/generate_bundles.py`. The file is `[case]` blocks of `field = value` lines: bytes as hex, numbers
in decimal, text as it is, lists with `:` between the parts of an item and spaces between items. `refused` blocks hold bytes
that no reader may take, with the rule that they break.
"""

from pathlib import Path
from typing import Any, cast

from unibpf.formats import cbor
from unibpf.formats.bundle import KINDS, Bundle, BundleMap, InnerMap, Line, LineInfo, encode

FOLDER = Path(__file__).parent
TARGET = FOLDER / "bundle.txt"
PASS = bytes.fromhex("b7000000020000009500000000000000")
LOADS = bytes.fromhex(
    "1851000000000000"
    "0000000000000000"  # r1 = handle of map 0
    "1862000001000000"
    "0000000002000000"  # r2 = address of byte 2 of map 1
)
FUNCTION = bytes.fromhex(
    "18420000030000000000000000000000"  # r2 = function at instruction 4, after the entry program
)
INNER = InnerMap(type=1, key_size=4, value_size=8, max_entries=64)

CASES = {
    "smallest": Bundle(name="pass", kind="filter", code=PASS),
    "everything": Bundle(
        name="nat-44_v2",
        kind="rewriter",
        code=LOADS + PASS,
        maps=(
            BundleMap(
                name="flows",
                type=1,
                key_size=13,
                value_size=16,
                max_entries=65536,
                layout="struct{u64 packets;u64 bytes;}",
            ),
            BundleMap(name=".rodata", type=2, key_size=4, value_size=4, max_entries=1, flags=128, data=b"\1\2\3\4"),
            BundleMap(name=".bss", type=2, key_size=4, value_size=8, max_entries=1, layout="struct{u64 total;}"),
        ),
        helpers=(1, 2, 5, 4294967295),
        outputs=3,
        stack=64,
        line_info=LineInfo(files=("nat.c", "nat.h"), lines=(Line(0, 0, 12, 3), Line(2, 1, 700, 0), Line(4, 0, 13, 1))),
    ),
    "classifier": Bundle(name="c", kind="classifier", code=PASS, outputs=256, stack=4096),
    "function": Bundle(name="callback", kind="filter", code=FUNCTION + PASS + PASS),
    "lock": Bundle(
        name="locked",
        kind="filter",
        code=PASS,
        maps=(BundleMap(name="shared", type=1, key_size=4, value_size=16, max_entries=8, lock=12),),
    ),
    "program-array": Bundle(
        name="tails",
        kind="filter",
        code=PASS + PASS,
        maps=(BundleMap(name="jumps", type=3, key_size=4, value_size=4, max_entries=4, entries=((0, 2), (3, 0))),),
    ),
    "map-of-maps": Bundle(
        name="tenants",
        kind="filter",
        code=PASS,
        maps=(
            BundleMap(name="first", type=1, key_size=4, value_size=8, max_entries=64),
            BundleMap(name="tables", type=12, key_size=4, value_size=4, max_entries=2, entries=((1, 0),), inner=INNER),
        ),
    ),
}


def _edited(key: int, value: object) -> bytes:
    item = cast(dict[int, object], cbor.decode(encode(CASES["everything"]), max_bytes=1 << 20))
    return cbor.encode({**item, key: value})


def _map_edited(case: str, index: int, key: int, value: object) -> bytes:
    item = cast(dict[int, Any], cbor.decode(encode(CASES[case]), max_bytes=1 << 20))
    item[4][index][key] = value
    return cbor.encode(item)


def _without(case: str, index: int, key: int) -> bytes:
    item = cast(dict[int, Any], cbor.decode(encode(CASES[case]), max_bytes=1 << 20))
    del item[4][index][key]
    return cbor.encode(item)


REFUSED = {
    "trailing-byte": ("shape", encode(CASES["smallest"]) + b"\0"),
    "truncated": ("shape", encode(CASES["smallest"])[:-1]),
    "long-form-integer": ("shape", encode(CASES["smallest"]).replace(b"\xaa\x00\x01", b"\xaa\x00\x18\x01", 1)),
    "indefinite-map": ("shape", b"\xbf" + encode(CASES["smallest"])[1:] + b"\xff"),
    "duplicate-key": ("shape", b"\xab\x00\x01" + encode(CASES["smallest"])[1:]),
    "unknown-key": ("shape", _edited(10, 0)),
    "version-2": ("shape", _edited(0, 2)),
    "kind-graph": ("shape", _edited(2, 3)),
    "half-an-instruction": ("shape", _edited(3, bytes(12))),
    "no-instruction": ("limits", _edited(3, b"")),
    "helpers-unsorted": ("shape", _edited(5, [5, 1])),
    "helper-twice": ("shape", _edited(5, [1, 1])),
    "no-output": ("limits", _edited(6, 0)),
    "stack-4097": ("limits", _edited(7, 4097)),
    "line-of-no-file": ("shape", _edited(8, [[], [[0, 0, 1, 1]]])),
    "lines-unsorted": ("shape", _edited(8, [["a"], [[2, 0, 1, 1], [0, 0, 2, 1]]])),
    "abi-2": ("abi", _edited(9, 2)),
    "entries-empty": ("shape", _map_edited("program-array", 0, 8, [])),
    "entries-unsorted": ("shape", _map_edited("program-array", 0, 8, [[3, 0], [0, 2]])),
    "entry-of-one": ("shape", _map_edited("program-array", 0, 8, [[0]])),
    "entry-outside-its-map": ("shape", _map_edited("program-array", 0, 8, [[4, 0]])),
    "entry-past-the-code": ("shape", _map_edited("program-array", 0, 8, [[0, 4]])),
    "entry-of-a-hash": ("shape", _map_edited("lock", 0, 8, [[0, 0]])),
    "entry-of-no-map": ("shape", _map_edited("map-of-maps", 1, 8, [[0, 2]])),
    "inner-missing": ("shape", _without("map-of-maps", 1, 9)),
    "inner-of-a-hash": ("shape", _map_edited("map-of-maps", 0, 9, [1, 4, 8, 64, 0])),
    "inner-of-four": ("shape", _map_edited("map-of-maps", 1, 9, [1, 4, 8, 64])),
    "lock-crooked": ("shape", _map_edited("lock", 0, 10, 2)),
    "lock-past-the-value": ("shape", _map_edited("lock", 0, 10, 16)),
}


def text() -> str:
    """Return the whole file."""
    blocks = [f"# made by schemas/golden/{Path(__file__).name}\n"]
    blocks += [_block(name, bundle) for name, bundle in CASES.items()]
    blocks += [f"[refused-{name}]\nbundle = {data.hex()}\nrule = {rule}\n" for name, (rule, data) in REFUSED.items()]
    return "\n".join(blocks)


def _block(name: str, bundle: Bundle) -> str:
    fields = {
        "bundle": encode(bundle).hex(),
        "name": bundle.name,
        "kind": str(KINDS.index(bundle.kind)),
        "code": bundle.code.hex(),
        "maps": " ".join(map(map_text, bundle.maps)),
        "helpers": " ".join(map(str, bundle.helpers)),
        "outputs": str(bundle.outputs),
        "stack": str(bundle.stack),
        "files": " ".join(bundle.line_info.files),
        "lines": " ".join(f"{row.insn}:{row.file}:{row.line}:{row.column}" for row in bundle.line_info.lines),
    }
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())


def map_text(m: BundleMap) -> str:
    """Return name, numbers, data, entries, inner map and lock."""
    inner = m.inner and f"{m.inner.type},{m.inner.key_size},{m.inner.value_size},{m.inner.max_entries},{m.inner.flags}"
    parts = (m.name, m.type, m.key_size, m.value_size, m.max_entries, m.flags, (m.data or b"").hex())
    entries = ",".join(f"{index}>{target}" for index, target in m.entries)
    return ":".join(map(str, (*parts, entries, inner or "", "" if m.lock is None else m.lock)))


if __name__ == "__main__":
    TARGET.write_text(text())
