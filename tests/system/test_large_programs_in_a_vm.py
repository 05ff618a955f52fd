"""Ten thousand rules in a virtual machine: native code where there is memory for it, a clear refusal where there is not."""

import dataclasses
import re
from pathlib import Path

import cbor2
import pytest

from benchmarks.firewall import firewall
from tests.support.guests.qemu import MACHINES, running_vm
from tests.support.programs.vnf import bundle_of

RULES = 10_000
LINE = re.compile(r"^case 0 (interpreter|jit) (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    source = tmp_path_factory.mktemp("large") / "firewall.c"
    source.write_text(firewall(RULES))
    return bundle_of(source)


def ends(bundle: bytes, memory: int, bin_directory: Path, folder: Path) -> dict[str, str]:
    """How the program ends on a packet, by engine."""
    machine = dataclasses.replace(MACHINES["microvm-legacy"], memory=memory)
    kernel = bin_directory / "unibpf-test-image.elf"
    order = cbor2.dumps([[[bundle, bytes(12) + b"\x08\x00\x45" + bytes(49), []]]], canonical=True)
    with running_vm(machine=machine, kernel=kernel, image=order, folder=folder) as vm:
        return dict(LINE.findall(vm.wait_for("cases done", seconds=60)))


def test_native_code_of_ten_thousand_rules_runs_where_there_is_memory(
    bundle: bytes, bin_directory: Path, tmp_path: Path
) -> None:
    found = ends(bundle, 64, bin_directory, tmp_path)
    assert found["jit"] == found["interpreter"]
    assert found["jit"].startswith("exit 2 ")


def test_where_there_is_not_the_jit_says_so(bundle: bytes, bin_directory: Path, tmp_path: Path) -> None:
    assert ends(bundle, 8, bin_directory, tmp_path)["jit"].startswith("refused ")
