"""frontend/values.py: what may be written for a variable of each type, and what is said of anything else."""

import pytest

from tests.unit.services.verifier.frontend.test_constants import compiled, data, refusal


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("limit=-1", "`limit` is of type `__u32`: got `-1`, expected a number from 0 to 4294967295 or an IPv4 address"),
        ("limit=4294967296", "expected a number from 0 to 4294967295"),
        ("limit=1.5", "`limit` is of type `__u32`: got `1.5`"),
        ("limit=010", "`limit` is of type `__u32`: got `010`"),
        ("limit=fd00::1", "`limit` is of type `__u32`: got `fd00::1`"),
        ("limit=hex:0100", "expected 8 hexadecimal digits after `hex:`"),
        ("limit=hex:010000000g", "expected 8 hexadecimal digits after `hex:`"),
        ("limit=text:a", "`limit` is of type `__u32`: got `text:a`"),
        ("offset=32768", "`offset` is of type `__s16`: got `32768`, expected a number from -32768 to 32767"),
        ("enabled=2", "got `2`, expected a number from 0 to 1"),
        ("letter=xy", "`letter` is of type `char`: got `xy`, expected a number from -128 to 127"),
        (
            "mode=MODE_NONE",
            "`mode` is of type `enum mode`: got `MODE_NONE`, expected `MODE_PASS`, `MODE_DROP`, `MODE_TX` or",
        ),
        ("mode=10.0.0.1", "expected `MODE_PASS`"),
        ("sign=ABOVE_ALL", "expected `BELOW`, `ABOVE` or a number from -2147483648 to 2147483647"),
        ("ports=1", "`ports` is of type `__u16[4]`: got `1`, expected 8 bytes as `hex:...`; its elements are"),
        ("ports=text:a", "expected 8 bytes as `hex:...`"),
        ("name=text:ninechars", "`name` is of type `char[8]`: got `text:ninechars`, expected at most 8 characters"),
        ("name=eth0", "expected 8 bytes as `hex:...` or up to 8 characters as `text:...`"),
        ("mac=10.0.0.1", "expected 6 bytes as `hex:...` or a MAC address"),
        ("peer=1", "`peer` is of type `__u8[16]`: got `1`, expected 16 bytes as `hex:...` or an IPv6 address"),
        ("cfg=1", "`cfg` is of type `struct`: got `1`, expected 24 bytes as `hex:...`; its members are `cfg.rules`"),
        ("cfg.rules[0]=1", "its members are `cfg.rules[0].address`, `cfg.rules[0].port`"),
        ("cfg.rules[0].high=32", "`cfg.rules[0].high` is of type `__u8:5`: got `32`, expected a number from 0 to 31"),
        ("cfg.rules[0].high=hex:01", "expected a number from 0 to 31"),
        ("pointer=1", "`pointer` is a pointer, and global data holds no addresses"),
        ("limit=" + "9" * 4000, "expected a number from 0 to 4294967295"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(word: str, expected: str) -> None:
    assert expected in refusal(word)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("limit=0x11170", "limit=70000"),
        ("limit=hex:70110100", "limit=70000"),
        ("limit=1.2.3.4", "limit=hex:01020304"),
        ("limit='A'", "limit=65"),
        ("offset=-0x2", "offset=hex:feff"),
        ("enabled=false", "enabled=0"),
        ("letter=-1", "letter=hex:ff"),
        ("mode=7", "mode=MODE_TX"),
        ("sign=-3", "sign=BELOW"),
        ("name=text:abcdefgh", "name=hex:6162636465666768"),
        ("name=text:a:b", "name=hex:613a620000000000"),
        ("mac=02:00:00:00:01:0f", "mac=hex:02000000010f"),
        ("peer=::ffff", "peer=hex:0000000000000000000000000000ffff"),
        ("cfg.rules[0].address=10.0.0.1", "cfg.rules[0].address=0x0100000a"),
    ],
)
def test_two_ways_to_write_the_same_value(one: str, other: str) -> None:
    assert data(compiled("settings"), one) == data(compiled("settings"), other)


def test_a_bit_field_leaves_its_neighbours_alone() -> None:
    low = data(compiled("settings"), "cfg.rules[0].low=7", "cfg.rules[0].high=21")
    high = data(compiled("settings"), "cfg.rules[0].high=21", "cfg.rules[0].low=7")
    whole = data(compiled("settings"), "cfg.rules[0]=hex:000000000000af00")
    assert low == high == whole
