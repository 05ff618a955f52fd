"""unibpf/push/kernel_loading.py: a bundle in this machine's kernel, and nothing left of it afterwards."""

import os
from pathlib import Path

import pytest

from tests.support.kernel.kernel_oracle import available
from tests.support.programs import analyser_cases
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap, decode
from unibpf.host import seccomp
from unibpf.push import kernel_loading
from unibpf.push.kernel_loading import KernelRefusedError, Loaded

pytestmark = pytest.mark.skipif(not available(), reason="loading programs into the kernel needs CAP_BPF")
ONLY_R6 = bytes.fromhex("bf600000000000009500000000000000")  # r0 = r6, which nobody wrote


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count, of what is gone at once


@pytest.mark.parametrize("name", ["lock_around_an_update", "tail_call_returns"])
def test_what_was_made_is_gone_when_it_is_closed(name: str, bin_directory: Path) -> None:
    case = analyser_cases.read(analyser_cases.DATA / f"{name}.case")
    before = open_files()
    with Loaded(bundle=decode(case.bundle(Assembler(bin_directory / "unibpf-run")))) as loaded:
        assert open_files() == before + 1 + len(loaded.maps) + len(loaded.tails)
    assert open_files() == before


def test_what_is_refused_leaves_nothing_and_says_why() -> None:
    before = open_files()
    array = BundleMap(name="m", type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1)
    with pytest.raises(KernelRefusedError) as caught, Loaded(bundle=decode(bundle_of(ONLY_R6, [array]))):
        pass
    assert "R6 !read_ok" in caught.value.log
    assert open_files() == before


def test_a_map_that_cannot_be_made_is_named() -> None:
    odd = BundleMap(name="odd", type=MapType.ARRAY, key_size=8, value_size=4, max_entries=1)
    with pytest.raises(OSError, match="Invalid argument") as caught:
        kernel_loading.create_map(odd)
    assert caught.value.filename == "map `odd`"


def test_the_fence_lets_the_commands_of_loading_through_and_no_other() -> None:
    assert seccomp.KERNEL.commands == kernel_loading.LOADING
