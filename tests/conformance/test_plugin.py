"""unibpf-conformance as the bpf_conformance project drives a plug-in: hex in, r0 in hex out, by either engine."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conformance.cases import Case, all_cases
from tests.support.programs.assembler import Assembler

ENGINES = ("--interpret", "--jit")
# The plug-in has no maps, and r1 is the memory and no context: cases that use either are not for it.


def fit() -> list[Case]:
    """Cases that are plain code: no maps, no context, no functions as values, whose bounds no plug-in is told."""
    plain = [
        case for case in all_cases() if not case.maps and case.result is not None and "lddw_function" not in case.code
    ]
    return [case for case in plain if not _reads_r1(case)]


def _reads_r1(case: Case) -> bool:
    """Whether the case reads r1 before it writes it, or calls a helper."""
    for line in case.code.splitlines():
        if "call" in line or re.search(r"r1\b", line):
            return "call" in line or re.match(r"\s*(mov32|mov64|lddw) r1,(?!.*r1\b)", line) is None
    return False


@pytest.fixture(scope="module")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


class Plugin:
    """The executable; `call` gives exit code, output and complaint."""

    def __init__(self, executable: Path, assembler: Assembler) -> None:
        self.executable = executable
        self.assembler = assembler

    def call(self, code: str | bytes, *words: str) -> tuple[int, str, str]:
        program = self.assembler.assemble(code)[0] if isinstance(code, str) else code
        text = " ".join(f"{byte:02x}" for byte in program)
        done = subprocess.run([self.executable, *words], input=text, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def plugin(bin_directory: Path, assembler: Assembler) -> Plugin:
    return Plugin(bin_directory / "unibpf-conformance", assembler)


def test_most_cases_are_for_the_plugin() -> None:
    assert len(fit()) > 100


@pytest.mark.parametrize("engine", ENGINES)
def test_every_case_without_maps_and_context_gives_its_result(engine: str, plugin: Plugin) -> None:
    wrong = {}
    for case in fit():
        code, out, complaint = plugin.call(case.code, engine)
        if (code, out.strip()) != (0, f"{case.result:x}"):
            wrong[case.name] = (f"{case.result:x}", out, complaint)
    assert not wrong


@pytest.mark.parametrize("engine", ENGINES)
def test_r1_is_the_memory_and_r2_its_length(engine: str, plugin: Plugin) -> None:
    code = "ldxw r0, [r1+4]\nlsh64 r0, 8\nor64 r0, r2\nexit\n"
    assert plugin.call(code, "aabbccdd 01020304 ff", engine) == (0, "403020109\n", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_memory_can_be_written_and_calls_and_jumps_are_untouched_by_what_comes_before(
    engine: str, plugin: Plugin
) -> None:
    code = "mov64 r6, r1\ncall_local double\nldxb r0, [r6+0]\nexit\n"
    code += "double:\nldxb r3, [r1+0]\nadd64 r3, r3\nstxb [r1+0], r3\nexit\n"
    assert plugin.call(code, "15", engine) == (0, "2a\n", "")


def test_memory_may_be_missing_and_the_program_a_word(plugin: Plugin) -> None:
    assert plugin.call(b"", "--program", plugin.assembler.assemble("mov64 r0, r2\nexit\n")[0].hex()) == (0, "0\n", "")


def test_debugging_speaks_on_standard_error(plugin: Plugin) -> None:
    code, out, said = plugin.call("mov64 r0, 3\nexit\n", "00", "--debug", "--jit")
    assert (code, out) == (0, "3\n")
    assert "1 bytes of memory, native code" in said


@pytest.mark.parametrize(
    ("code", "words", "status", "complaint"),
    [
        ("ldxb r0, [r1+2]\nexit\n", ("0000", "--interpret"), 1, "error: stopped at instruction 3"),
        (b"\xff" * 8, ("00",), 1, "error[instruction]"),
        (b"\x95", ("00",), 1, "must be a positive multiple of 8 bytes"),
        (b"", ("00",), 1, "must be a positive multiple of 8 bytes"),
        ("mov64 r0, 3\nexit\n", ("0",), 2, "usage: "),
        ("mov64 r0, 3\nexit\n", ("zz",), 2, "usage: "),
        ("mov64 r0, 3\nexit\n", ("00" * 4096,), 2, "usage: "),
        ("mov64 r0, 3\nexit\n", ("--elf",), 2, "usage: "),
    ],
)
def test_what_cannot_run_is_said(
    code: str | bytes, words: tuple[str, ...], status: int, complaint: str, plugin: Plugin
) -> None:
    found = plugin.call(code, *words)
    assert (found[0], found[1]) == (status, "")
    assert complaint in found[2]
