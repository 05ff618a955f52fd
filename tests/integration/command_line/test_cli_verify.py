"""`unibpf verify` as a user runs it: exit codes, what goes where, and that nothing foreign takes it down."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs.bad_objects import DEFECTS, make
from tests.support.programs.programs import FOLDER, compiled

UNIBPF = Path(sys.executable).parent / "unibpf"


def verify(*arguments: str | Path, binaries: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "UNIBPF_BIN": str(binaries)}
    command = [UNIBPF, "verify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_a_safe_program_is_one_line_on_stdout(bin_directory: Path) -> None:
    done = verify(FOLDER / "parse.c", binaries=bin_directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("safe parse: filter, 14 instructions, 0 bytes of stack, at most 14 instructions a packet\n")


def test_an_unsafe_program_is_told_like_a_compiler_does(bin_directory: Path) -> None:
    done = verify(FOLDER / "unsafe_parse.c", binaries=bin_directory)
    assert done.returncode == 1
    assert done.stdout == "unsafe unsafe_parse: 1 finding\n"
    first, place, known, led, hint = done.stderr.splitlines()
    assert first.startswith("error[packet-bounds]: read of ")
    assert place.startswith("  --> unsafe_parse.c:10  `return ethernet->h_proto ? XDP_PASS : XDP_DROP;`  (instruction ")
    assert known.startswith("  known here: r")
    assert led.startswith("  led here by: 0: r1 = *(u32 *)(r1 + ")
    assert hint.startswith("  hint: return before this line unless ")


def test_the_report_is_json_on_request(bin_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "p.o").write_bytes(compiled("maps"))
    done = verify(tmp_path / "p.o", "--json", binaries=bin_directory)
    report = json.loads(done.stdout)
    assert (report["verdict"], report["maps"]) == ("safe", ["flows", "opaque", "hidden"])


def test_one_of_several_programs_is_chosen_by_option(bin_directory: Path) -> None:
    assert verify(FOLDER / "several.c", binaries=bin_directory).returncode == 2
    done = verify(FOLDER / "several.c", "--program", "second", binaries=bin_directory)
    assert done.stdout.startswith("safe second: filter")
    done = verify(FOLDER / "several.c", "--section", "unibpf/filter", binaries=bin_directory)
    assert done.stdout.startswith("safe third: filter")


@pytest.mark.parametrize("defect", ["text-file", "half-of-the-file", "above-the-size-cap", "btf-magic-wrong"])
def test_bad_input_names_its_rule(defect: str, bin_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.o").write_bytes(make(defect))
    done = verify(tmp_path / "bad.o", binaries=bin_directory)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error[{DEFECTS[defect][0]}]: ")


def test_what_is_not_supported_has_its_own_exit_code(bin_directory: Path) -> None:
    done = verify(FOLDER / "refused" / "extern_symbol.c", binaries=bin_directory)
    assert done.returncode == 3
    assert "--> extern_symbol.c:9  `return elsewhere ? XDP_PASS : XDP_DROP;`" in done.stderr


def test_source_that_does_not_compile_shows_the_compilers_words(bin_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "p.c").write_text("int p(void) { return 1 }\n")
    done = verify(tmp_path / "p.c", binaries=bin_directory)
    assert done.returncode == 2
    assert "p.c:1:23: error: expected ';'" in done.stderr


def test_an_analyser_that_dies_is_given_up_and_not_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "unibpf-analyse").write_text("#!/bin/sh\nkill -SEGV $$\n")
    (tmp_path / "unibpf-analyse").chmod(0o755)
    done = verify(FOLDER / "pass.c", binaries=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith("error[analyser-crash]: the analyser ended with signal 11")


def test_a_missing_analyser_is_said_with_what_to_do(tmp_path: Path) -> None:
    done = verify(FOLDER / "pass.c", binaries=tmp_path)
    assert done.returncode == 2
    assert "there is no analyser at" in done.stderr
    assert "make build" in done.stderr
