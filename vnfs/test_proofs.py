"""Every program of the catalogue is safe, with a certificate that the signer's checker accepts, in the memory of its guest."""

import tomllib
from pathlib import Path

import pytest

from services.verifier.frontend import frontend
from tests.support.programs.certificates import Tools
from unibpf.push.compile import compile_c
from unibpf.vnf import catalogue

PROGRAMS = [Path(one.folder) / name for one in catalogue.functions() for name in one.programs]


def memory_of(program: Path) -> int:
    """Of the guest that runs it, in MiB."""
    special = program.with_suffix(".toml")
    guest = special if special.exists() else program.with_name("guest.toml")
    return int(tomllib.loads(guest.read_text())["memory_mib"])


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_program_is_proved_to_be_safe(program: Path, bin_directory: Path) -> None:
    graph = "".join(path.read_text() for path in program.parent.glob("*.click"))
    kind = "rewriter" if "BPFRewriter(" in graph else None
    options = frontend.Options(kind=kind, memory_mib=memory_of(program))
    bundle = frontend.translate(compile_c(program), options).bundle
    assert Tools(folder=bin_directory).certified(bundle)
