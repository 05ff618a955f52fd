"""What packets run through is compiled for speed in the VM image, the rest for size: chosen by folder."""

import json
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = ROOT / "build/native/compile_commands.json"
SPEED = {"packet", "drivers", "elements", "bpf", "bpf/interpreter", "bpf/helpers", "bpf/maps"}
SIZE = {
    "core",
    "graph",
    "control",
    "bpf/jit",
    "drivers/transports",
    "platform",
    "platform/pvh",
    "platform/x86",
    "run",
}


def levels() -> dict[Path, str]:
    """Each C++ source of the bare image and the optimization that its command ends with."""
    found: dict[Path, str] = {}
    for row in json.loads(COMMANDS.read_text()):
        words = shlex.split(row["command"])
        path = Path(row["file"])
        if "-DUNIBPF_PLATFORM_PVH=1" in words and path.is_relative_to(ROOT / "guest") and path.suffix == ".cpp":
            found[path.relative_to(ROOT / "guest")] = next(word for word in reversed(words) if word.startswith("-O"))
    return found


def folder(path: Path) -> str:
    """As the sets above name it: of elements, control and graph the first level, of the others two."""
    parts = path.parent.parts
    return "/".join(parts[:1] if parts[:1] in {("elements",), ("control",), ("graph",)} else parts[:2])


@pytest.mark.skipif(not COMMANDS.exists(), reason="no build")
def test_every_file_of_a_fast_folder_is_compiled_for_speed_and_every_other_for_size() -> None:
    named = {path: level for path, level in levels().items() if folder(path)}
    assert {folder(path) for path in named} == SPEED | SIZE
    wrong = {str(path): level for path, level in named.items() if level != ("-O2" if folder(path) in SPEED else "-Oz")}
    assert not wrong
