"""`unibpf-run` says what is wrong, to whom, and by its exit status."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of


def run(bin_directory: Path, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    done = subprocess.run([bin_directory / "unibpf-run", *arguments], input=stdin, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_bundle_from_standard_input_is_run_on_a_packet(bin_directory: Path, assembler: Assembler) -> None:
    bundle = bundle_of(assembler.assemble("mov64 r0, 1\nexit")[0])
    status, out, _ = run(bin_directory, "-", "--packet", "00" * 20, "--json", "--maps", stdin=bundle)
    report = json.loads(out)
    assert status == 0
    assert report["verdict"] == "XDP_DROP"
    assert report["packet"] == "00" * 20
    assert report["instructions"] == 2
    assert report["maps"] == {}


def test_a_stopped_run_names_the_instruction(bin_directory: Path, assembler: Assembler) -> None:
    bundle = bundle_of(assembler.assemble("mov64 r1, 0\nldxw r0, [r1+8]\nexit")[0])
    status, out, _ = run(bin_directory, "-", "--json", stdin=bundle)
    assert status == 1
    assert json.loads(out)["trap"] == {
        "kind": "fault",
        "text": "memory access outside what the program may touch",
        "instruction": 1,
        "address": 8,
    }


@pytest.mark.parametrize("engine", ["interpreter", "jit"])
@pytest.mark.parametrize(("how", "last"), [([], "01"), (["--in-place"], "05")])
def test_repetitions_get_a_fresh_packet_or_what_the_last_one_left(
    engine: str, how: list[str], last: str, bin_directory: Path, assembler: Assembler
) -> None:
    code = "ldxw r1, [r1+0]\nldxb r0, [r1+0]\nadd64 r0, 1\nstxb [r1+0], r0\nexit"
    arguments = [
        "-",
        "--packet",
        "00" * 20,
        "--repeat",
        "5",
        "--json",
        "--engine",
        engine,
        "--policy",
        "trusting",
        *how,
    ]
    status, out, _ = run(bin_directory, *arguments, stdin=bundle_of(assembler.assemble(code)[0]))
    report = json.loads(out)
    assert (status, report["packet"], report["verdict_code"]) == (0, last + "00" * 19, int(last))


def test_a_refused_bundle_names_the_rule(bin_directory: Path) -> None:
    status, out, err = run(bin_directory, "-", stdin=bundle_of(b"\xff" + bytes(7)))
    assert (status, out) == (1, "")
    assert err == "error[instruction]: instruction is not in the table of RFC 9669 (got 0)\n"


def test_wrong_arguments_are_answered_by_what_was_expected(bin_directory: Path) -> None:
    for arguments, sentence in (
        ([], "expected the path of a bundle"),
        (["a", "b"], "got a second bundle `b`, expected one"),
        (["a", "--packet"], "option `--packet` lacks its value"),
        (["a", "--packet", "0g"], "a packet must be an even number of hexadecimal digits, got `0g`"),
        (["a", "--packet", "00" * 3000], "a packet must fit 1664 bytes, got 3000"),
        (["a", "--policy", "none"], "option `--policy` does not take `none`"),
        (["a", "--repeat", "-1"], "option `--repeat` does not take `-1`"),
        (["/nowhere"], "cannot read `/nowhere`"),
    ):
        status, out, err = run(bin_directory, *arguments)
        assert (status, out) == (2, "")
        assert err.splitlines()[0] == f"error: {sentence}"
