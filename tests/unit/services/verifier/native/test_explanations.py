"""What the analyser says beside its verdict: slices of instructions and the control-flow graph."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


class Explained:
    """Analyses assembly and gives what was explained."""

    def __init__(self, bin_directory: Path, assembler: Assembler) -> None:
        self.executable = bin_directory / "unibpf-analyse"
        self.assembler = assembler

    def __call__(self, code: str, *options: str, maps: tuple[BundleMap, ...] = ()) -> dict[str, Any]:
        data = bundle_of(self.assembler.assemble(code)[0], maps)
        done = subprocess.run([self.executable, *options], input=data, capture_output=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def slice(self, code: str) -> list[tuple[int, str, bool | None]]:
        steps = self(code)["findings"][0]["slice"]
        return [(step["instruction"], step["text"], step["taken"]) for step in steps]


@pytest.fixture
def explained(bin_directory: Path, assembler: Assembler) -> Explained:
    return Explained(bin_directory, assembler)


OFF_BY_ONE = """
ldxw r2, [r1+0]
ldxw r3, [r1+4]
mov64 r0, 0
mov64 r4, r2
add64 r4, 14
jgt64 r4, r3, out
mov64 r9, 7
ldxb r0, [r2+14]
out:
exit
"""


def test_a_slice_has_the_register_its_guard_and_nothing_else(explained: Explained) -> None:
    assert explained.slice(OFF_BY_ONE) == [
        (0, "r2 = *(u32 *)(r1 + 0)", None),
        (1, "r3 = *(u32 *)(r1 + 4)", None),
        (3, "r4 = r2", None),
        (4, "r4 += 14", None),
        (5, "if r4 > r3 goto 8", False),
        (7, "r0 = *(u8 *)(r2 + 14)", None),
    ]


def test_a_slice_goes_through_spilled_registers(explained: Explained) -> None:
    found = explained.slice("""
        ldxw r2, [r1+0]
        stxdw [r10-8], r2
        call_helper 7
        stxdw [r10-16], r0
        ldxdw r3, [r10-8]
        ldxb r0, [r3+0]
        exit
    """)
    assert [at for at, _, _ in found] == [0, 1, 4, 5]
    assert found[1][1] == "*(u64 *)(r10 - 8) = r2"


def test_a_slice_goes_into_calls_and_out_of_them(explained: Explained) -> None:
    found = explained.slice("""
        ldxw r6, [r1+0]
        mov64 r1, r6
        call_local move
        ldxb r0, [r0+0]
        exit
        move:
        mov64 r6, 5
        add64 r1, 4
        mov64 r0, r1
        exit
    """)
    assert [text for _, text, _ in found] == [
        "r6 = *(u32 *)(r1 + 0)",
        "r1 = r6",
        "call 5",
        "r0 = *(u8 *)(r0 + 0)",
        "r1 += 4",
        "r0 = r1",
        "exit",
    ]


def test_a_clobbered_register_is_blamed_on_the_call(explained: Explained) -> None:
    assert explained.slice("mov64 r3, 1\ncall_helper 7\nmov64 r0, r3\nexit") == [
        (1, "call bpf_get_prandom_u32", None),
        (2, "r0 = r3", None),
    ]


def test_an_endless_loop_shows_what_decides_whether_it_goes_on(explained: Explained) -> None:
    found = explained.slice("mov64 r6, 0\nloop:\ncall_helper 7\nadd64 r6, 1\njne64 r0, 0, loop\nmov64 r0, 0\nexit")
    assert [at for at, _, _ in found] == [1, 3]


def test_a_slice_is_short_however_long_the_way_was(explained: Explained) -> None:
    body = "".join(f"jeq64 r6, {at}, over{at}\nadd64 r7, r6\nover{at}:\n" for at in range(5000))
    found = explained.slice(f"call_helper 7\nmov64 r6, r0\nmov64 r7, r0\n{body}ldxb r0, [r7+0]\nexit")
    assert 10 < len(found) <= 24
    assert found[-1][1] == "r0 = *(u8 *)(r7 + 0)"


def test_every_kind_of_instruction_has_its_text(explained: Explained) -> None:
    code = """
        mov64 r0, -1
        mov32 r3, r0
        neg64 r0
        sdiv32 r0, 3
        smod64 r0, r3
        arsh64 r0, 2
        movsx8_64 r4, r0
        be16 r4
        bswap32 r4
        lddw r5, 0x100000000
        lddw_map r6, 0
        lddw_map_value r6, 0, 4
        stxdw [r10-8], r0
        stw [r10-16], 5
        ldxsh r7, [r10-8]
        atomic_add64 [r10-8], r0
        atomic_fetch_add64 [r10-8], r3
        atomic_cmpxchg64 [r10-8], r3
        jslt32 r0, -2, over
        ja over
        over:
        mov64 r0, 0
        exit
    """
    array = BundleMap(name="table", type=MapType.ARRAY, key_size=4, value_size=8, max_entries=1)
    graph = explained(code, "--cfg", "dot", maps=(array,))["graph"]
    texts = re.findall(r"\d+: (.*?)\\l", graph)
    assert texts == [
        "r0 = -1",
        "w3 = w0",
        "r0 = -r0",
        "w0 s/= 3",
        "r0 s%= r3",
        "r0 s>>= 2",
        "r4 = (s8)r0",
        "r4 = be16 r4",
        "r4 = bswap32 r4",
        "r5 = 4294967296 ll",
        "r6 = map table",
        "r6 = value of map table + 4",
        "*(u64 *)(r10 - 8) = r0",
        "*(u32 *)(r10 - 16) = 5",
        "r7 = *(s16 *)(r10 - 8)",
        "lock *(u64 *)(r10 - 8) += r0",
        "r3 = atomic_fetch_add(*(u64 *)(r10 - 8), r3)",
        "r0 = cmpxchg(*(u64 *)(r10 - 8), r0, r3)",
        "if w0 s< -2 goto 23",
        "goto 23",
        "r0 = 0",
        "exit",
    ]


GRAPH = """
mov64 r6, 0
loop:
call_local inner
add64 r6, 1
jlt64 r6, 10, loop
mov64 r0, 0
exit
inner:
mov64 r0, 1
exit
"""


def edges(graph: str) -> set[tuple[str, str, str]]:
    found = re.findall(r"^  (\w+) -> (\w+)(?: \[label=(\w+)\])?$", graph, re.MULTILINE)
    return {(one, two, label) for one, two, label in found}


def test_the_graph_has_blocks_edges_loop_heads_and_inlined_functions(explained: Explained) -> None:
    graph = explained(GRAPH, "--cfg", "dot")["graph"]
    assert graph.startswith('digraph "test" {\n')
    assert graph.count("{") == graph.count("}") == 3
    names = re.findall(r"^  (b\d+) \[label=", graph, re.MULTILINE)
    assert names == ["b0", "b1", "b2", "b3", "b4"]
    assert edges(graph) == {
        ("b0", "b1", ""),
        ("b1", "b4", "call"),
        ("b4", "b2", "return"),
        ("b2", "b1", "taken"),
        ("b2", "b3", "next"),
    }
    assert re.findall(r"^  (b\d+) .* peripheries=2\]$", graph, re.MULTILINE) == ["b1"]
    assert r'b1 [label="loop, at most 9 rounds\l1: call 6\l"' in graph
    assert 'subgraph cluster_1 {\n  label="function at 6"\n  b4 ' in graph


def test_the_graph_shows_invariants_where_blocks_begin(explained: Explained) -> None:
    graph = explained(GRAPH, "--cfg", "dot", "--invariants", "on")["graph"]
    assert r"r6 = number in [0, 9]\l1: call 6\l" in graph
    assert "graph" not in explained(GRAPH)


def test_a_program_without_a_graph_has_none(explained: Explained) -> None:
    assert "graph" not in explained("again:\ncall_local again\nexit", "--cfg", "dot")
