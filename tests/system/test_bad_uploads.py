"""Bad objects on the bus: each is rejected by a named rule, the queue goes on, the guests do not notice."""

from pathlib import Path

import pytest

from tests.support.services.cli import Cli
from unibpf.host.settings import REPOSITORY
from unibpf.push.compile import compile_c


def push(cli: Cli, path: Path) -> tuple[int, str]:
    answer = cli.run("push", str(path), "--program", "firewall", "--audience", "lab", "--wait", "--json", ok=False)
    return answer.code, answer.json["report"]["findings"][0]["rule"]


@pytest.fixture(scope="module")
def good_object() -> bytes:
    return compile_c(REPOSITORY / "vnfs/firewall/program.c", defines=["CLOSED_PORT=7"])


def test_text_is_no_elf_object(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "text.o"
    path.write_bytes(b"hello, verifier\n" * 20)
    code, rule = push(cli, path)
    assert (code, rule) == (3, "not-elf")


def test_a_truncated_object_is_refused(cli: Cli, tmp_path: Path, good_object: bytes) -> None:
    path = tmp_path / "truncated.o"
    path.write_bytes(good_object[: len(good_object) // 2])
    code, _ = push(cli, path)
    assert code != 0


def test_an_unsafe_program_is_refused_with_its_source_line(cli: Cli) -> None:
    source = REPOSITORY / "vnfs/firewall/unsafe.c"
    answer = cli.run("push", str(source), "--program", "firewall", "--audience", "lab", "--wait", "--json", ok=False)
    finding = answer.json["report"]["findings"][0]
    line = source.read_text().splitlines()[finding["line"] - 1]
    assert answer.code == 1
    assert finding["rule"] == "packet-bounds"
    assert "tcp->dest" in line
    assert "error[packet-bounds]" in answer.err


def test_after_all_that_a_good_program_passes(cli: Cli, tmp_path: Path, good_object: bytes) -> None:
    path = tmp_path / "good.o"
    path.write_bytes(good_object)
    answer = cli.run("push", str(path), "--program", "firewall", "--audience", "lab", "--wait", "--json")
    assert answer.json["signed"]["program"] == "firewall"
