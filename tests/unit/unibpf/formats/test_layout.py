"""unibpf.formats.layout: values by the layout text that the verifier's front end makes."""

import pytest

from tests.support.programs.programs import bundle_of_source
from unibpf.formats import layout
from unibpf.formats.bundle import decode as decode_bundle
from unibpf.formats.layout import LayoutError

MIXED = "struct{u8 a;u32 b;s16 c:3@64;u16 d:5@67;u8[6] mac@12;struct{u16 x;}[2] arr;b8 on;}#24"

SOURCE = """
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
struct value {
    u8 flag; u64 count; signed int balance : 12; u32 mode : 3;
    union { u32 address; u8 octets[4]; };
    struct { u16 low, high; } range[2];
    _Bool enabled; short table[2][3]; void *opaque;
};
struct {
    int (*type)[1]; int (*max_entries)[4]; u32 *key; struct value *value;
} state __attribute__((section(".maps"), used));
static long (*lookup)(void *map, const void *key) = (void *)1;
__attribute__((section("xdp"), used)) int keeper(void *ctx)
{
    u32 key = 0;
    return lookup(&state, &key) ? 2 : 1;
}
"""


@pytest.mark.parametrize(
    ("text", "value", "data"),
    [
        ("u64", 5, "0500000000000000"),
        ("s32", -2, "feffffff"),
        ("b8", True, "01"),
        ("f32", 1.5, "0000c03f"),
        ("ptr", 7, "0700000000000000"),
        ("u16[3]", [1, 2, 3], "010002000300"),
        ("u8[4]", "0a000001", "0a000001"),
        ("u8[2][2]", ["0102", "0304"], "01020304"),
        ("struct{u8 a;u32 b;}", {"a": 1, "b": 2}, "0100000002000000"),
        ("struct{u32 b;u8 a;}#5", {"b": 2, "a": 1}, "0200000001"),
        ("struct{struct{u8 a;};u8 b;}", {"a": 1, "b": 2}, "0102"),
        ("struct{u8 u8;u8 structure;}", {"u8": 1, "structure": 2}, "0102"),
        ("union{u32 whole;u16 low;}", {"whole": 0x30002, "low": 2}, "02000300"),
    ],
)
def test_bytes_and_values_are_each_others_image(text, value, data):
    parsed = layout.parse(text)
    assert layout.decode(parsed, bytes.fromhex(data)) == value
    assert layout.encode(parsed, value).hex() == data


def test_bit_fields_padding_and_arrays_of_structs_lie_where_the_text_says():
    value = {"a": 1, "b": 2, "c": -2, "d": 31, "mac": "aabbccddeeff", "arr": [{"x": 1}, {"x": 2}], "on": True}
    data = layout.encode(layout.parse(MIXED), value)
    assert data.hex() == "0100000002000000fe000000aabbccddeeff0100020001" + "00"
    assert layout.decode(layout.parse(MIXED), data) == value


def test_what_is_left_out_is_zero():
    assert layout.encode(layout.parse(MIXED), {"b": 2}).hex() == "0000000002" + "00" * 19


def test_the_text_of_a_real_struct_reads_and_writes_what_c_would():
    table = decode_bundle(bundle_of_source(SOURCE)).maps[0]
    text = table.layout
    assert text is not None
    value = {
        "flag": 1,
        "count": 1 << 40,
        "balance": -5,
        "mode": 6,
        "address": 0x0100000A,
        "range": [{"low": 1, "high": 2}, {"low": 3, "high": 4}],
        "enabled": True,
        "table": [[-1, 2, 3], [4, 5, 6]],
        "opaque": 0,
    }
    data = layout.encode(layout.parse(text), value)
    assert len(data) == table.value_size
    assert layout.decode(layout.parse(text), data) == value | {"octets": "0a000001"}


@pytest.mark.parametrize(
    ("text", "value", "words"),
    [
        ("u8", 256, "got 256, expected u8"),
        ("u8", -1, "got -1, expected u8"),
        ("u8", "1", "expected a number"),
        ("u8", 1.5, "expected a number"),
        ("u8[4]", "0a00", "expected 4 bytes in hex"),
        ("u16[2]", [1], "expected a list of 2"),
        ("struct{u8 a;}", 5, "expected an object with `a`"),
        ("struct{u8 a;}", {"b": 5}, "got `b`, expected `a`"),
        ("struct{struct{u8[2] x;} in;}", {"in": {"x": [1, 300]}}, r"value\.in\.x\[1\]"),
        ("struct{s8 a:3@0;}", {"a": 4}, "expected 3 bits"),
        ("union{u32 a;u32 b;}", {"a": 1, "b": 2}, "another member of the same union"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_field(text, value, words):
    with pytest.raises(LayoutError, match=words):
        layout.encode(layout.parse(text), value)


@pytest.mark.parametrize(
    "text",
    ["", "struct{", "u7", "u64 x", "struct{u8 a;}#0", "struct{u64 a@9;}#8", "u32[", "strange", "u8!", "struct{" * 40],
)
def test_a_bad_text_is_refused(text):
    with pytest.raises(LayoutError):
        layout.parse(text)


def test_bytes_of_another_length_are_refused():
    with pytest.raises(LayoutError, match="got 3 bytes, expected 4"):
        layout.decode(layout.parse("u32"), bytes(3))
