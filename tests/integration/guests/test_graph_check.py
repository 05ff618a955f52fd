"""unibpf.host.graph_check with the real executable: a host says of a graph what a guest would, before there is one."""

from pathlib import Path

import pytest

from tests.support.folders import short_folder
from unibpf.host import graph_check
from unibpf.host.graph_check import GraphCheckMissing, check_graph
from unibpf.host.settings import binary_directory

BINARIES = binary_directory({})
FOLDER = Path(__file__).parents[2] / "data" / "graph"
GRAPHS = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.click"))}


@pytest.mark.parametrize("text", GRAPHS.values(), ids=GRAPHS)
async def test_the_host_finds_the_same_errors_as_the_guest(text: str) -> None:
    graph, _, errors = text.partition("%errors\n")
    report = await check_graph(BINARIES, graph.partition("%router\n")[0], nics=["eth0", "eth1"], memory_mib=8)
    found = [f"{error.line}:{error.column} {error.text}" for error in report.errors]
    assert found == [line for line in errors.splitlines() if line]
    assert bool(report.elements) != bool(found)


async def test_elements_are_named_with_class_kind_and_program() -> None:
    graph = "Idle -> fw :: BPFFilter(PROGRAM firewall) -> c :: BPFClassifier(PROGRAM lanes) -> Discard;"
    elements = (await check_graph(BINARIES, graph, nics=[], memory_mib=8)).elements
    assert [(one.name, one.class_name, one.kind, one.program) for one in elements] == [
        ("Idle@1", "Idle", None, None),
        ("fw", "BPFFilter", "filter", "firewall"),
        ("c", "BPFClassifier", "classifier", "lanes"),
        ("Discard@4", "Discard", None, None),
    ]


@pytest.mark.parametrize(
    "graph", ["", "\x00", "\ud800", "\u202e -> x", "Idle -> Discard;" * 5000, '"' * 70000, "{" * 5000]
)
async def test_any_text_gets_an_answer(graph: str) -> None:
    report = await check_graph(BINARIES, graph, nics=["a"] * 40, memory_mib=1024)
    assert report.errors or not graph


async def test_a_host_without_the_executable_knows_nothing_and_says_so() -> None:
    with short_folder() as folder, pytest.raises(GraphCheckMissing, match="unibpf-graph"):
        await check_graph(folder, "Idle -> Discard;", nics=[], memory_mib=8)


async def test_a_checker_that_ends_without_an_answer_is_a_fault_of_the_graph(tmp_path: Path) -> None:
    fake = tmp_path / graph_check.EXECUTABLE
    fake.write_text("#!/bin/sh\nkill -9 $$\n")
    fake.chmod(0o755)
    report = await check_graph(tmp_path, "Idle -> Discard;", nics=[], memory_mib=8)
    assert "ends the guest's own parser" in report.errors[0].text
