"""Write `control_bodies.txt`: a golden vector for every body of the control channel; the guest and Python must agree with it.

Run as `python schemas/golden/generate_bodies.py`. The form is generate_control.py's; `item` is the body.
"""

from pathlib import Path
from typing import Any, Final

from unibpf.formats import cbor
from unibpf.formats.control_keys import (
    ActivateKey,
    DumpKey,
    ElementKey,
    MapChangedKey,
    MapChangesKey,
    MapQueryKey,
    ProblemKey,
    RefusalKey,
    RingQueryKey,
    StatusKey,
    UpdateKey,
)

FOLDER = Path(__file__).parent
DIGEST: Final = bytes([5]) * 32
TRACE: Final = bytes(range(25))
STEPS: Final = [["parse", 1000, 2000], ["swap", 70_000, 300]]

UPDATE: Final[dict[int, Any]] = {
    UpdateKey.ALREADY: 1,
    UpdateKey.ELEMENT: "fw",
    UpdateKey.PROGRAM: "firewall",
    UpdateKey.SEQUENCE: 5,
    UpdateKey.ENVELOPE: DIGEST,
    UpdateKey.STEPS: STEPS,
    UpdateKey.MAPS: [["hash", 0, 2], ["array", 1, 0]],
    UpdateKey.ENGINE: "interpreter",
}
SWAPPED: Final[dict[int, Any]] = {
    UpdateKey.SWAP_NS: 300,
    UpdateKey.LONGEST_GAP_NS: 90_000,
    UpdateKey.PACKETS_DURING: 77,
    UpdateKey.PACKETS_LOST: 3,
    UpdateKey.ENGINE_BEFORE: "jit",
}
PROGRAM_ELEMENT: Final[dict[int, Any]] = {
    ElementKey.NAME: "fw",
    ElementKey.CLASS_NAME: "BPFFilter",
    ElementKey.KIND: 0,
    ElementKey.PROGRAM: "firewall",
    ElementKey.SEQUENCE: 5,
    ElementKey.ENVELOPE: DIGEST,
    ElementKey.ENGINE: "jit",
    ElementKey.PACKETS: 10,
    ElementKey.DROPS: [["dropped-by-program", 4]],
    ElementKey.MAPS: [["hash", 1, 4, 8, 3, 1]],
    ElementKey.STAGED: [7, DIGEST],
    ElementKey.PREVIOUS: [4, DIGEST],
    ElementKey.FLOOR: 5,
    ElementKey.ISOLATION: "none",
}
PLAIN_ELEMENT: Final[dict[int, Any]] = {
    ElementKey.NAME: "q",
    ElementKey.CLASS_NAME: "Queue",
    ElementKey.PACKETS: 10,
    ElementKey.DROPS: [],
    ElementKey.HANDLERS: [["length", "0"], ["capacity", "1000"]],
}
STATUS: Final[dict[int, Any]] = {
    StatusKey.GUEST: "fw1",
    StatusKey.BOOT_NONCE: bytes(range(16)),
    StatusKey.UPTIME_NS: 1_000_000_007,
    StatusKey.AUDIENCE: "edge",
    StatusKey.ELEMENTS: [PROGRAM_ELEMENT, PLAIN_ELEMENT],
    StatusKey.NICS: [["in0", bytes.fromhex("525400000002"), 1, 2, 3, 4, 5, 6, 7, 8]],
    StatusKey.MEMORY: [8 << 20, 3 << 20, 4 << 20],
    StatusKey.GRAPH: ["test-graph", 2, DIGEST],
    StatusKey.LONGEST_GAP_NS: 90_000,
    StatusKey.BOOT: STEPS,
    StatusKey.VERSION: "0.1.0",
    StatusKey.PLATFORM: "linux",
    StatusKey.RECENT_GAP_NS: 40_000,
}
DUMP: Final[dict[int, Any]] = {
    DumpKey.NAME: "hash",
    DumpKey.TYPE: 1,
    DumpKey.KEY_SIZE: 4,
    DumpKey.VALUE_SIZE: 8,
    DumpKey.ENTRIES: [[bytes([1, 0, 0, 0]), bytes([0xAA]) * 8]],
    DumpKey.HELD: 1,
    DumpKey.NEXT: 0,
}
RING_DUMP: Final[dict[int, Any]] = {
    DumpKey.NAME: "events",
    DumpKey.TYPE: 27,
    DumpKey.KEY_SIZE: 0,
    DumpKey.VALUE_SIZE: 0,
    DumpKey.ENTRIES: [[b"", b"record"]],
    DumpKey.HELD: 16,
    DumpKey.NEXT: 0,
    DumpKey.POSITION: 1 << 40,
    DumpKey.LOST: 2,
}
CHANGED: Final[dict[int, Any]] = {
    MapChangedKey.NAME: "hash",
    MapChangedKey.APPLIED: 1,
    MapChangedKey.ENTRIES: 1,
    MapChangedKey.STEPS: [],
}
PROBLEM: Final[dict[int | str, Any]] = {
    ProblemKey.TITLE: "the sequence is not above the floor",
    ProblemKey.DETAIL: "got `9`, expected a sequence above the highest one seen",
    ProblemKey.RESPONSE_CODE: 0x89,
    "urn:unibpf:v1": {RefusalKey.RULE: "sequence", RefusalKey.HIGHEST: 9},
}

BODIES: Final[dict[str, Any]] = {
    "activate": {ActivateKey.ENVELOPE: DIGEST},
    "staged": UPDATE,
    "staged-traced": UPDATE | {UpdateKey.TRACE: TRACE},
    "activated": UPDATE | SWAPPED,
    "activated-traced": UPDATE | {UpdateKey.TRACE: TRACE} | SWAPPED,
    "status": STATUS,
    "map-query": {MapQueryKey.CURSOR: 7, MapQueryKey.MOST: 4096},
    "map-query-key": {MapQueryKey.KEY: bytes([1, 0, 0, 0])},
    "map-dump": DUMP,
    "ring-query": {RingQueryKey.POSITION: 1 << 40, RingQueryKey.MOST: 10},
    "ring-dump": RING_DUMP,
    "map-changes": {
        MapChangesKey.CHANGES: [[bytes([1, 0, 0, 0]), bytes([0xAA]) * 8], [bytes([2, 0, 0, 0])]],
        MapChangesKey.FLAGS: 0,
        MapChangesKey.ENVELOPE: DIGEST,
    },
    "map-changed": CHANGED | {MapChangedKey.ERROR: 2},
    "map-changed-all": CHANGED,
    "problem": PROBLEM,
}


def files() -> dict[str, str]:
    """Name and text of every file this script writes."""
    blocks = [f"[{name}]\nitem = {cbor.encode(item).hex()}" for name, item in BODIES.items()]
    return {"control_bodies.txt": "# made by schemas/golden/generate_bodies.py\n\n" + "\n\n".join(blocks) + "\n"}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
