"""Addresses among the values of texts: the certificate of one format, offered for others that would tell them."""

from pathlib import Path

import pytest

from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.programs.certificates import Tools
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap

READ_ONLY = 0x80
# A text of eight bytes into the frame, of one value: the address of the frame's last eight bytes.
TEXT = """
stdw [r10-8], 0
mov64 r1, r10
add64 r1, -8
stxdw [r10-16], r1
mov64 r1, r10
add64 r1, -48
mov64 r2, 8
lddw_map_value r3, 0, 0
mov64 r4, r10
add64 r4, -16
mov64 r5, 8
call_helper 165
mov64 r0, 2
exit
"""
NUMBERS = ["%lx", "%llu", "%d", "%c", "%p", "%pK", "%px", "%d%pI4", "%%pI4", "pI4"]
OTHER_BYTES = ["%pI6"]
NO_FORMATS = ["%", "%pI5", "%lpI4", "%5120pI", "%y%pI4", "%hhd"]
UNSAFE = [*NUMBERS, *OTHER_BYTES, *NO_FORMATS]
CONSOLE = """
stxdw [r10-16], r10
lddw_map_value r1, 0, 0
mov64 r2, 8
mov64 r3, r10
add64 r3, -16
mov64 r4, {bytes}
call_helper 177
mov64 r0, 2
exit
"""


@pytest.fixture(scope="session")
def tools(bin_directory: Path) -> Tools:
    return Tools(folder=bin_directory)


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


def printing(assembler: Assembler, code: str, text: str) -> bytes:
    data = text.encode().ljust(8, b"\0")
    fixed = BundleMap(
        name=".rodata", type=MapType.named("array"), key_size=4, value_size=8, max_entries=1, flags=READ_ONLY, data=data
    )
    return bundle_of(assembler.assemble(code)[0], [fixed])


@pytest.mark.parametrize("text", ["%pI4", "%pi4", "%-9pI4", "%%%pI4", "a%pI4 b", "%s", "%pks"])
def test_a_text_of_bytes_that_an_address_points_to_is_certified(text: str, tools: Tools, assembler: Assembler) -> None:
    tools.certified(printing(assembler, TEXT, text))


@pytest.mark.parametrize(
    "text",
    UNSAFE,
)
def test_the_certificate_of_a_text_proves_nothing_of_one_that_would_have_the_address_or_other_bytes(
    text: str, tools: Tools, assembler: Assembler
) -> None:
    certificate = tools.certified(printing(assembler, TEXT, "%pI4"))
    answer = tools.check(printing(assembler, TEXT, text), certificate)
    assert (answer["verdict"], answer["rule"]) == ("refused", "certificate-unproved"), answer


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("add64 r1, -48", "add64 r1, -12"),  # the output covers the text
        ("add64 r1, -48", "add64 r1, -15"),  # its last byte is the text's first
        ("stdw [r10-8], 0", "stdw [r10-8], -1"),  # no NUL byte
        ("stdw [r10-8], 0", "stw [r10-8], -1"),  # what follows was never written
        ("stdw [r10-8], 0", "stxdw [r10-8], r10"),  # an address
    ],
)
def test_a_text_on_the_stack_that_may_go_on_into_addresses_is_refused(
    line: str, other: str, tools: Tools, assembler: Assembler
) -> None:
    certificate = tools.certified(printing(assembler, TEXT, "%s"))
    answer = tools.check(printing(assembler, TEXT.replace(line, other, 1), "%s"), certificate)
    assert (answer["verdict"], answer["rule"]) == ("refused", "certificate-unproved"), answer


def test_the_console_may_be_told_addresses_that_were_stored_whole(tools: Tools, assembler: Assembler) -> None:
    certificate = tools.certified(printing(assembler, CONSOLE.format(bytes=8), "%px"))
    for count in (16, 4, 12):  # words that were never written, a part of an address
        bundle = printing(assembler, CONSOLE.format(bytes=count), "%px")
        assert tools.check(bundle, certificate)["verdict"] == "refused", count
