"""unibpf.formats.bpf: what Python knows of BPF is what the guest and Linux know."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from unibpf.formats import bpf
from unibpf.formats.bpf import MapType

HEADER = Path("/usr/include/linux/bpf.h").read_text()


@pytest.fixture
def tables(bin_directory: Path) -> dict:
    return said_by(bin_directory, "--tables")


def said_by(bin_directory: Path, option: str):
    done = subprocess.run([bin_directory / "unibpf-run", option], capture_output=True, check=True)
    return json.loads(done.stdout)


def numbers_of(enum: str, prefix: str) -> dict[str, int]:
    """The members of an enum of linux/bpf.h, counted as C does."""
    body = re.search(rf"enum {enum} \{{(.*?)\}};", HEADER, re.DOTALL)[1]
    names = re.findall(rf"^\t{prefix}(\w+),", body, re.MULTILINE)
    assert names and "=" not in body
    return {name.lower(): number for number, name in enumerate(names)}


def test_limits_are_the_guests(tables: dict) -> None:
    assert tables["limits"] == {
        "version": bpf.ABI_VERSION,
        "max_bundle_bytes": bpf.MAX_BUNDLE_BYTES,
        "max_instructions": bpf.MAX_INSTRUCTIONS,
        "max_subprograms": bpf.MAX_FUNCTIONS,
        "max_maps": bpf.MAX_MAPS,
        "frame_bytes": bpf.MAX_FRAME,
        "max_frames": bpf.MAX_FRAMES,
        "max_stack_bytes": bpf.MAX_STACK,
        "max_outputs": bpf.MAX_OUTPUTS,
        "map_flag_no_prealloc": bpf.BPF_F_NO_PREALLOC,
        "map_flag_rdonly_prog": bpf.BPF_F_RDONLY_PROG,
        "map_flag_inner_map": bpf.BPF_F_INNER_MAP,
    }


def test_map_types_are_the_guests(tables: dict) -> None:
    offered = {one.name.lower(): one.value for one in MapType if one not in bpf.NOT_IN_GUESTS}
    assert {name: row["number"] for name, row in tables["map_types"].items()} == offered


@pytest.mark.parametrize(
    ("known", "holds", "index"),
    [
        (bpf.ARRAYS, {"values"}, {"array"}),
        (bpf.RINGS, {"records", "events"}, {"array", "none"}),
        (bpf.MAPS_OF_MAPS, {"maps"}, {"array", "hash"}),
        (bpf.DEVICE_MAPS, {"devices"}, {"array", "hash"}),
    ],
)
def test_what_maps_hold_is_what_the_guest_says(tables: dict, known, holds: set[str], index: set[str]) -> None:
    rows = tables["map_types"].values()
    assert {row["number"] for row in rows if row["holds"] in holds and row["index"] in index} == known


def test_every_map_type_has_its_number_of_linux() -> None:
    linux = numbers_of("bpf_map_type", "BPF_MAP_TYPE_")
    assert {one.name.lower(): linux[one.name.lower()] for one in MapType} == {
        one.name.lower(): one.value for one in MapType
    }
    names = {name for name, number in linux.items() if number in bpf.SIZELESS}
    assert names == {name for name in linux if name.endswith("_storage")}


def test_a_tail_call_has_its_number(tables: dict) -> None:
    assert tables["helpers"]["bpf_tail_call"] == bpf.HELPER_TAIL_CALL


def test_opcodes_are_the_guests(bin_directory: Path) -> None:
    found = {(row["category"], row["opcode"], row["src"]) for row in said_by(bin_directory, "--opcodes")}
    for source in (bpf.SRC_FUNCTION, bpf.SRC_MAP, bpf.SRC_MAP_VALUE):
        assert ("load_imm64", bpf.LDDW, source) in found
    assert ("call_helper", bpf.CALL, bpf.SRC_NUMBER) in found
    assert ("call_local", bpf.CALL, bpf.SRC_LOCAL_CALL) in found
    assert bpf.MOV64_IMM in {opcode for _, opcode, _ in found}
