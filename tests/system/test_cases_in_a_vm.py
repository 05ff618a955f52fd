"""The conformance cases inside a virtual machine: both engines end there as the files say (tests/image/cases.cpp)."""

import re
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from tests.conformance.cases import Case, all_cases, maps_of
from tests.support.folders import short_folder
from tests.support.guests.qemu import MACHINES, running_vm
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of

CASES = [case for case in all_cases() if not case.checking_only]
LINE = re.compile(r"^case (\d+) (interpreter|jit) (.*)$", re.MULTILINE)
ENGINES = ("interpreter", "jit")

Answers = dict[str, dict[str, list[str]]]  # words by engine and case


@pytest.fixture(scope="module")
def console(bin_directory: Path) -> Iterator[str]:
    assembler = Assembler(bin_directory / "unibpf-run")
    kernel = bin_directory / "unibpf-test-image.elf"
    order = cbor2.dumps([[row(case, assembler) for case in CASES]], canonical=True)
    with (
        short_folder() as folder,
        running_vm(machine=MACHINES["microvm-legacy"], kernel=kernel, image=order, folder=folder) as vm,
    ):
        yield vm.wait_for("cases done", seconds=120)


@pytest.fixture(scope="module")
def answers(console: str) -> Answers:
    found: Answers = {engine: {} for engine in ENGINES}
    for number, engine, words in LINE.findall(console):
        found[engine][CASES[int(number)].name] = words.split()
    return found


def row(case: Case, assembler: Assembler) -> list[object]:
    """What the image reads of a case."""
    code, _ = assembler.assemble(case.code)
    bundle = bundle_of(code, maps_of(case, assembler.labels(case.code)), kind=case.kind)
    return [bundle, case.packet, [[name, bytes.fromhex(key)] for name, key, _ in case.values]]


def expected(case: Case, got: list[str]) -> list[str]:
    """The words that the file demands; what it says nothing of is as it came."""
    if case.trap is not None:
        return [case.trap, *got[1:]]
    packet = got[2] if case.packet_out is None else case.packet_out.hex()
    return ["exit", f"{case.result or 0:x}", packet, *(value for _, _, value in case.values)]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_case_ends_as_its_file_says(engine: str, answers: Answers) -> None:
    assert answers[engine].keys() == {case.name for case in CASES}
    wrong = {case.name: got for case in CASES if (got := answers[engine][case.name]) != expected(case, got)}
    assert wrong == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_cases_are_many_and_some_end_in_traps(engine: str, answers: Answers) -> None:
    ends = [words[0] for words in answers[engine].values()]
    assert ends.count("exit") > 250
    assert ends.count("budget") > 2


def test_pages_of_native_code_come_back_empty(console: str) -> None:
    """What an emulator has translated from them is gone then, and the next program is written into them fast (paging.cpp)."""
    assert "code left in 4096 bytes: 0\n" in console
