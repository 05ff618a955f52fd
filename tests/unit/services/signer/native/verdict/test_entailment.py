"""Values with a lock that come from one of two look-ups: no choice of names makes two values one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.programs.certificates import Tools
from unibpf.formats import cbor
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap

LOOK_UP = """
stw [r10-4], {key}
lddw_map r1, 0
mov64 r2, r10
add64 r2, -4
call_helper 1
"""
# r6: the value of key 1, or of key 2 where there is none; r8: that of key 0.
LOCK = f"""
{LOOK_UP.format(key=0)}
jeq64 r0, 0, out
mov64 r8, r0
{LOOK_UP.format(key=1)}
jne64 r0, 0, found
{LOOK_UP.format(key=2)}
jeq64 r0, 0, out
found:
mov64 r6, r0
mov64 r1, r6
call_helper 93
mov64 r1, {{unlocked}}
call_helper 94
mov64 r0, r8
mov64 r0, 2
out:
mov64 r0, 2
exit
"""


@pytest.fixture(scope="session")
def tools(bin_directory: Path) -> Tools:
    return Tools(folder=bin_directory)


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


def locking(assembler: Assembler, unlocked: str) -> bytes:
    flows = BundleMap(name="flows", type=MapType.named("hash"), key_size=4, value_size=16, max_entries=8, lock=0)
    return bundle_of(assembler.assemble(LOCK.format(unlocked=unlocked))[0], [flows])


def test_the_value_of_either_look_up_is_unlocked_but_no_other(tools: Tools, assembler: Assembler) -> None:
    certificate = tools.certified(locking(assembler, "r6"))
    answer = tools.check(locking(assembler, "r8"), certificate)
    assert (answer["verdict"], answer["rule"]) == ("refused", "certificate-unproved"), answer


def identities(tree: Any) -> Iterator[list[Any]]:
    """The values in a certificate that have one."""
    if isinstance(tree, list) and len(tree) == 6 and tree[0] == 7 and tree[5]:
        yield tree
    for child in tree if isinstance(tree, list) else tree.values() if isinstance(tree, dict) else []:
        yield from identities(child)


def test_no_choice_of_names_proves_that_two_values_are_one(tools: Tools, assembler: Assembler) -> None:
    certificate = tools.certified(locking(assembler, "r6"))
    unsafe = locking(assembler, "r8")
    count = len(list(identities(cbor.decode(certificate, max_bytes=1 << 20, max_depth=16))))
    labels = {one[5] for one in identities(cbor.decode(certificate, max_bytes=1 << 20, max_depth=16))}
    names = [*labels, (1 << 63) + 65, (1 << 63) + 64, 1 << 63, (1 << 64) - 1, 0]
    assert count >= 2
    assert any(label > (1 << 63) + 64 for label in labels)
    for at in range(count + 1):
        for name in names:
            tree = cbor.decode(certificate, max_bytes=1 << 20, max_depth=16)
            for number, value in enumerate(identities(tree)):
                value[5] = name if at in (number, count) else value[5]
            assert tools.check(unsafe, cbor.encode(tree))["verdict"] == "refused", (at, name)
