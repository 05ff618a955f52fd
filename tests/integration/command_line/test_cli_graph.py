"""`unibpf graph draw` and `graph run` as a user calls them: the guest's own parser and elements, in their processes."""

import json
from pathlib import Path

import pytest

from tests.support.programs.vnf import ipv4
from tests.support.services.cli import Cli
from unibpf.formats import pcap

GRAPH = """
FromDevice(in0) -> c :: Classifier(12/0800, -) -> Queue -> EtherMirror -> ToDevice(out0);
c[1] -> seen :: Counter -> Discard;
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "state")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    file = tmp_path / "router.click"
    file.write_text(GRAPH)
    return file


def test_a_graph_runs_on_files_and_says_what_each_element_did(cli: Cli, graph: Path, tmp_path: Path) -> None:
    frames = [ipv4(protocol=6, port=80), bytes(12) + b"\x08\x06" + bytes(46), ipv4(protocol=17, port=53)]
    (tmp_path / "in.pcap").write_bytes(pcap.encode(frames))
    words = ("graph", "run", str(graph), "--input", f"in0={tmp_path / 'in.pcap'}", "--output", str(tmp_path / "out"))
    done = cli.run(*words, "--json")
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert rows["c"]["packets"] == 3
    assert rows["seen"]["packets"] == 1
    assert rows["Discard@7"]["reasons"] == "discarded=1"
    sent = (tmp_path / "out" / "out0.pcap").read_bytes()
    assert sent.count(frames[0][12:]) == 1 and sent.count(frames[2][12:]) == 1
    assert cli.run(*words, "--json").out == done.out


def test_a_graph_that_is_not_sound_is_neither_run_nor_drawn(cli: Cli, graph: Path) -> None:
    graph.write_text("FromDevice(in0) -> Quue(3) -> Discard;")
    for command in ("run", "draw"):
        found = cli.run("graph", command, str(graph), ok=False)
        assert found.code == 2
        assert "did you mean `Queue`?" in found.err.replace("'", "`")


def test_a_drawing_has_every_element(cli: Cli, graph: Path, tmp_path: Path) -> None:
    cli.run("graph", "draw", str(graph), "-o", str(tmp_path / "router.svg"))
    text = (tmp_path / "router.svg").read_text()
    assert text == cli.run("graph", "draw", str(graph)).out
    for title in ("FromDevice@1 :: FromDevice(in0)", "c :: Classifier(12/0800, -)", "seen :: Counter"):
        assert f"<title>{title}</title>" in text
