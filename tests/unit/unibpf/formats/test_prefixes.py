"""unibpf.formats.prefixes: keys of longest-prefix-match maps as people write them, and back."""

import pytest

from unibpf.formats import layout, prefixes
from unibpf.formats.prefixes import PrefixError

V4 = ["struct{u32 len;u32 addr;}", "struct{u32 prefixlen;n32 data;}", "struct{u32 prefixlen;u8[4] data;}"]
V6 = ["struct{u32 len;u8[16] addr;}", "struct{u32 len;n128 addr@4;}#20", "struct{u32 len;u32[4] a;}"]
OTHERS = ["struct{u32 len;u16 vlan;u16 port;}", "struct{u32 len;u32 vni;u32 addr;}", "u64", "struct{u64 len;}"]


@pytest.mark.parametrize("text", V4)
def test_an_ipv4_key_is_a_prefix_however_its_address_is_declared(text: str) -> None:
    room = prefixes.room(8, layout.parse(text))
    assert room == 4
    key = prefixes.read("10.0.0.0/8", room)
    assert key is not None and key.hex() == "080000000a000000" and prefixes.shown(key, room) == "10.0.0.0/8"


@pytest.mark.parametrize("text", V6)
def test_so_is_an_ipv6_key(text: str) -> None:
    room = prefixes.room(20, layout.parse(text))
    assert room == 16
    key = prefixes.read("2001:db8::/33", room)
    assert key is not None and key[:8].hex() == "2100000020010db8" and prefixes.shown(key, room) == "2001:db8::/33"


@pytest.mark.parametrize("text", OTHERS)
def test_a_key_of_other_fields_is_none(text: str) -> None:
    shape = layout.parse(text)
    assert prefixes.room(shape.size, shape) is None


def test_the_size_alone_says_it_where_there_is_no_layout() -> None:
    assert [prefixes.room(size, None) for size in (8, 20, 12, 4)] == [4, 16, None, None]


def test_an_address_alone_is_the_whole_prefix_and_all_bits_are_kept() -> None:
    assert prefixes.read("10.1.2.3", 4) == bytes.fromhex("200000000a010203")
    assert prefixes.shown(prefixes.read("10.1.2.3/8", 4) or b"", 4) == "10.1.2.3/8"
    assert prefixes.read("::1", 16) == bytes.fromhex("80000000") + bytes(15) + b"\1"


@pytest.mark.parametrize("text", ["10.0.0.0/33", "fd00::/8", "10.0.0/8", "x/8", "10.0.0.0/"])
def test_what_cannot_be_a_key_is_refused(text: str) -> None:
    with pytest.raises(PrefixError):
        prefixes.read(text, 4)


@pytest.mark.parametrize("text", ["080000000a000000", "hex:080000000a000000", "08:00:00:00:0a:00:00:00"])
def test_bytes_are_left_to_others(text: str) -> None:
    assert prefixes.read(text, 4) is None


def test_a_length_that_is_none_is_shown_as_bytes() -> None:
    assert prefixes.shown(bytes.fromhex("210000000a000000"), 4) is None
