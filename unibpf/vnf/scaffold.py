"""A new network function: files of the shape that all have, which build, verify and pass their test as they are."""

import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,23}")
# Words that a C function cannot have as its name, and those of the template.
_TAKEN: Final = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main asm typeof "
    "at count counters ends layers"
)


class ScaffoldError(Exception):
    """It cannot be made; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def make(name: str, parent: Path) -> list[Path]:
    """Write the folder of a new function; returns its files, raises ScaffoldError."""
    if not _NAME.fullmatch(name) or name in _TAKEN.split():
        raise ScaffoldError(
            f"`{name:.64}` cannot be its name", "take small letters, digits and _, at most 24, no word of C"
        )
    folder = parent / name
    files = {folder / file.replace("NAME", name): text.replace("NAME", name) for file, text in TEMPLATES.items()}
    try:
        folder.mkdir()
        for path, text in files.items():
            path.write_text(text)
    except FileExistsError:
        raise ScaffoldError(f"`{folder}` is there already", "take another name, or another folder by `--to`") from None
    except OSError as error:
        raise ScaffoldError(f"`{folder}` cannot be written: {error.strerror}", "say by `--to` where") from error
    return list(files)


_README: Final = """# NAME

Says in one sentence what it does: it drops what contradicts itself, counts the rest by family and lets it pass.

- **Programs**: `program.c`, section `xdp`, loads in Linux too.
- **State**: array `counters` by `enum reason` in `program.c`.
- **Graph**: `graph.click`: NICs `inside` and `outside`, element `function`.
- **Guest**: `guest.toml`, for `unibpf guest apply`.

Limits: at most two VLAN tags and eight IPv6 extension headers.
"""

_PROGRAM: Final = """/* NAME: counts packets by family; what contradicts itself is dropped. */
#include <include/counters.h>
#include <include/layers.h>

enum reason {
	IP4,
	IP6,
	NOT_IP,
	TRUNCATED,
	BAD_HEADER,
	REASONS
};
COUNTERS(REASONS)

SEC("xdp") int NAME(struct xdp_md *ctx)
{
	struct layers layers = {};
	int found = find_layers(ctx, &layers);

	if (found == FOUND_OTHER)
		return ends(NOT_IP, XDP_PASS);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
	return ends(layers.version == 4 ? IP4 : IP6, XDP_PASS);
}

char LICENSE[] SEC("license") = "Apache-2.0";
"""

_GRAPH: Final = """// What comes in on `inside` goes out on `outside` if the program passes it; the way back is free.
control :: Control;
function :: BPFFilter(PROGRAM NAME);
dropped :: Counter;

FromDevice(inside) -> function;
function[0] -> to_outside :: Queue(512) -> ToDevice(outside);
function[1] -> dropped -> Discard;

FromDevice(outside) -> to_inside :: Queue(512) -> ToDevice(inside);
"""

_GUEST: Final = """# A guest for `unibpf guest apply`: networks are named in the host's own configuration.
guest = "NAME-1"
audience = "edge"
graph = "graph.click"
memory_mib = 8

[[nics]]
name = "inside"
network = "left"

[[nics]]
name = "outside"
network = "right"

[programs]
function = "NAME"
"""

_TEST: Final = '''"""NAME: packets in, verdicts and counters out; the graph; the verdict of the verifier."""

import json
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
PROGRAM = str(FOLDER / "program.c")
ETHERNET = bytes(12)
IP4 = ETHERNET + b"\\x08\\x00\\x45\\0\\0\\x1c" + bytes(5) + b"\\x11\\0\\0" + bytes(8) + bytes(8)
IP6 = ETHERNET + b"\\x86\\xdd\\x60\\0\\0\\0\\0\\x08\\x11\\x40" + bytes(32) + bytes(8)
ARP = ETHERNET + b"\\x08\\x06" + bytes(28)
PASS, DROP = "XDP_PASS", "XDP_DROP"


def unibpf(*words: str) -> str:
    done = subprocess.run(["unibpf", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(*packets: bytes) -> tuple[list[str], list[int]]:
    """Verdicts, and the counters after the last packet."""
    words = [word for packet in packets for word in ("--packet", packet.hex())]
    reports = [json.loads(line) for line in unibpf("run", PROGRAM, *words, "--maps", "--json").splitlines()]
    rows = next(report["maps"] for report in reversed(reports) if report.get("maps"))["counters"]["entries"]
    counters = [int.from_bytes(bytes.fromhex(row["value"]), "little") for row in rows]
    return [report["verdict"] for report in reports if "verdict" in report], counters


def test_packets_are_counted_by_family() -> None:
    assert run(IP4, IP6, ARP, IP4) == ([PASS] * 4, [2, 1, 1, 0, 0])


def test_what_is_cut_short_or_contradicts_itself_ends_here() -> None:
    short = [frame[:size] for frame in (IP4, IP6) for size in (14, 20, len(frame) - 1)]
    assert run(*short, IP4.replace(b"\\x45", b"\\x42")) == ([DROP] * 7, [0, 0, 0, 6, 1])


def test_it_is_safe_in_a_guest_and_in_linux() -> None:
    for platform in ("guest", "linux-xdp"):
        assert json.loads(unibpf("verify", PROGRAM, "--platform", platform, "--json"))["verdict"] == "safe"


def test_a_guest_would_start_with_its_graph() -> None:
    unibpf("graph", "check", str(FOLDER / "graph.click"), "--nic", "inside", "--nic", "outside")
'''

TEMPLATES: Final = {
    "README.md": _README,
    "program.c": _PROGRAM,
    "graph.click": _GRAPH,
    "guest.toml": _GUEST,
    "test_NAME.py": _TEST,
}
