"""unibpf/formats/bundle.py: one encoding, and every rule of schemas/bundle.cddl refused by name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from unibpf.formats import cbor
from unibpf.formats.bpf import MAX_BUNDLE_BYTES, MapType
from unibpf.formats.bundle import Bundle, BundleError, BundleMap, InnerMap, Line, LineInfo, decode, encode

GOOD = Bundle(
    name="firewall",
    kind="filter",
    code=bytes.fromhex("b7000000020000009500000000000000"),
    maps=(
        BundleMap(
            name="hits", type=MapType.ARRAY, key_size=4, value_size=16, max_entries=8, layout="struct{u64 a;u64 b;}"
        ),
        BundleMap(
            name=".rodata", type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1, flags=128, data=b"\1\2\3\4"
        ),
    ),
    helpers=(1, 6),
    outputs=2,
    stack=16,
    line_info=LineInfo(files=("a.c",), lines=(Line(0, 0, 3, 1), Line(1, 0, 4, 9))),
)
INNER = InnerMap(type=MapType.ARRAY, key_size=4, value_size=8, max_entries=1)
TAILS = BundleMap(
    name="tails", type=MapType.PROG_ARRAY, key_size=4, value_size=4, max_entries=2, entries=((0, 0), (1, 1))
)
OUTER = BundleMap(
    name="outer", type=MapType.ARRAY_OF_MAPS, key_size=4, value_size=4, max_entries=2, entries=((1, 0),), inner=INNER
)
LOCKED = BundleMap(name="locked", type=MapType.HASH, key_size=4, value_size=16, max_entries=8, lock=12)

numbers = st.integers(0, 2**32 - 1)
names = st.from_regex(r"[A-Za-z0-9_.]{1,63}", fullmatch=True)
inner_maps = st.builds(InnerMap, type=numbers, key_size=numbers, value_size=numbers, max_entries=numbers, flags=numbers)
# Up to three entries that name one of at least three instructions, or the first map.
entries = st.sets(st.integers(0, 9), max_size=3).map(sorted)
maps = st.one_of(
    st.builds(
        BundleMap,
        name=names,
        type=numbers.filter(lambda number: number not in (12, 13)),
        key_size=numbers,
        value_size=st.integers(16, 2**32 - 1),
        max_entries=numbers,
        flags=numbers,
        layout=st.none() | st.text(max_size=20),
        lock=st.sampled_from([None, 0, 4, 12]),
    ),
    st.builds(
        BundleMap,
        name=names,
        type=st.sampled_from([12, 13]),
        key_size=numbers,
        value_size=numbers,
        max_entries=st.integers(10, 2**32 - 1),
        inner=inner_maps,
        entries=entries.map(lambda found: tuple((index, 0) for index in found)),
    ),
    st.builds(
        BundleMap,
        name=names,
        type=st.just(3),
        key_size=numbers,
        value_size=numbers,
        max_entries=st.integers(10, 2**32 - 1),
        entries=entries.map(lambda found: tuple((index, index % 3) for index in found)),
    ),
)
bundles = st.builds(
    Bundle,
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,47}", fullmatch=True),
    kind=st.sampled_from(["filter", "classifier", "rewriter"]),
    code=st.binary(min_size=1, max_size=8).map(lambda data: data.ljust(8, b"\0") * 3),
    maps=st.lists(maps, max_size=4, unique_by=lambda entry: entry.name).map(tuple),
    helpers=st.sets(numbers, max_size=5).map(lambda found: tuple(sorted(found))),
    outputs=st.integers(1, 256),
    stack=st.integers(0, 4096),
    line_info=st.just(LineInfo(files=("x.c",), lines=(Line(0, 0, 1, 1), Line(2, 0, 2**31, 0)))),
)


@given(bundles)
def test_what_is_encoded_is_decoded_to_the_same(bundle: Bundle) -> None:
    assert decode(encode(bundle)) == bundle


@given(st.binary(max_size=200))
def test_bytes_are_a_bundle_or_a_bundle_error(data: bytes) -> None:
    try:
        assert encode(decode(data)) == data
    except BundleError as error:
        assert error.rule in {"size", "shape", "abi", "limits"}


@given(st.integers(0, len(encode(GOOD)) - 1), st.integers(1, 255))
def test_a_changed_byte_gives_another_bundle_or_an_error(at: int, change: int) -> None:
    data = bytearray(encode(GOOD))
    data[at] ^= change
    try:
        assert decode(bytes(data)) != GOOD
        assert encode(decode(bytes(data))) == data
    except BundleError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        pytest.param("shape", {"name": "Fire Wall"}, id="a name with a space"),
        pytest.param("shape", {"name": "firewall\n"}, id="a name with a line end"),
        pytest.param("shape", {"code": bytes(12)}, id="half an instruction"),
        pytest.param("limits", {"code": b""}, id="no instruction"),
        pytest.param("limits", {"code": bytes(800_008)}, id="too many instructions"),
        pytest.param("limits", {"outputs": 0}, id="no output"),
        pytest.param("limits", {"outputs": 257}, id="too many outputs"),
        pytest.param("limits", {"stack": 4097}, id="too much stack"),
        pytest.param("limits", {"helpers": (-1,)}, id="a negative helper"),
        pytest.param("shape", {"helpers": (6, 1)}, id="helpers in disorder"),
        pytest.param("shape", {"helpers": (1, 1)}, id="a helper twice"),
        pytest.param("abi", {"abi": 2}, id="another program interface"),
        pytest.param("shape", {"maps": (GOOD.maps[0], GOOD.maps[0])}, id="two maps of one name"),
        pytest.param("shape", {"maps": (replace(GOOD.maps[0], name="a b"),)}, id="a map name with a space"),
        pytest.param("shape", {"maps": (replace(GOOD.maps[1], value_size=5),)}, id="data shorter than its value"),
        pytest.param("limits", {"maps": (replace(GOOD.maps[0], max_entries=1 << 32),)}, id="a map size above 32 bits"),
        pytest.param(
            "limits", {"maps": tuple(replace(GOOD.maps[0], name=f"m{n}") for n in range(65))}, id="too many maps"
        ),
        pytest.param("shape", {"maps": (replace(TAILS, entries=((1, 0), (0, 0))),)}, id="entries in disorder"),
        pytest.param("shape", {"maps": (replace(TAILS, entries=((2, 0),)),)}, id="an entry past the map's end"),
        pytest.param("shape", {"maps": (replace(TAILS, entries=((0, 2),)),)}, id="an entry past the code"),
        pytest.param("shape", {"maps": (replace(GOOD.maps[0], entries=((0, 0),)),)}, id="entries of an array"),
        pytest.param("shape", {"maps": (replace(OUTER, entries=((0, 1),)),)}, id="an entry that names no map"),
        pytest.param("shape", {"maps": (replace(OUTER, inner=None),)}, id="a map of unknown maps"),
        pytest.param("shape", {"maps": (replace(GOOD.maps[0], inner=INNER),)}, id="an array with inner maps"),
        pytest.param(
            "limits", {"maps": (replace(OUTER, inner=replace(INNER, type=1 << 32)),)}, id="an inner type above 32 bits"
        ),
        pytest.param("shape", {"maps": (replace(LOCKED, lock=2),)}, id="a crooked lock"),
        pytest.param("shape", {"maps": (replace(LOCKED, lock=16),)}, id="a lock past the value"),
        pytest.param("shape", {"line_info": LineInfo(files=(), lines=(Line(0, 0, 1, 1),))}, id="a line of no file"),
        pytest.param(
            "shape", {"line_info": LineInfo(files=("a",), lines=(Line(2, 0, 1, 1),))}, id="a line past the end"
        ),
        pytest.param(
            "shape",
            {"line_info": LineInfo(files=("a",), lines=(Line(1, 0, 1, 1), Line(0, 0, 2, 1)))},
            id="lines in disorder",
        ),
        pytest.param("size", {"line_info": LineInfo(files=("x" * MAX_BUNDLE_BYTES,))}, id="more than a mebibyte"),
    ],
)
def test_a_broken_rule_is_neither_written_nor_read(rule: str, change: dict[str, object]) -> None:
    broken = replace(GOOD, **change)
    with pytest.raises(BundleError) as caught:
        encode(broken)
    assert caught.value.rule == rule


def test_entries_inner_maps_and_locks_come_back() -> None:
    bundle = replace(GOOD, maps=(GOOD.maps[0], TAILS, OUTER, LOCKED))
    assert decode(encode(bundle)) == bundle


def edited(key: int, value: object) -> bytes:
    fields = cbor.decode(encode(GOOD), max_bytes=MAX_BUNDLE_BYTES)
    assert isinstance(fields, dict)
    fields[key] = value  # type: ignore[assignment]
    return cbor.encode(fields)


PLAIN_MAP = {0: "m", 1: 3, 2: 4, 3: 4, 4: 1, 5: 0}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(edited(0, 2), id="another format version"),
        pytest.param(edited(2, 3), id="kind graph"),
        pytest.param(edited(1, b"firewall"), id="a name of bytes"),
        pytest.param(edited(3, "code"), id="code of text"),
        pytest.param(edited(5, [-1]), id="a negative helper"),
        pytest.param(edited(8, [[]]), id="line info without lines"),
        pytest.param(edited(8, [["a"], [[0, 0, 1]]]), id="a row of three"),
        pytest.param(edited(10, 0), id="an unknown key"),
        pytest.param(edited(4, [{0: "m"}]), id="a map without sizes"),
        pytest.param(edited(4, [{**PLAIN_MAP, 8: []}]), id="an empty list of entries"),
        pytest.param(edited(4, [{**PLAIN_MAP, 8: [[0]]}]), id="an entry of one"),
        pytest.param(edited(4, [{**PLAIN_MAP, 9: [2, 4, 8, 1]}]), id="an inner map of four"),
        pytest.param(edited(4, [{**PLAIN_MAP, 10: -4}]), id="a negative lock"),
        pytest.param(edited(4, [{**PLAIN_MAP, 11: 0}]), id="a map with an unknown key"),
        pytest.param(encode(GOOD) + b"\0", id="a byte past the end"),
        pytest.param(encode(GOOD)[:-1], id="a byte missing"),
        pytest.param(cbor.encode([]), id="an array"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_foreign_bytes_of_the_wrong_shape_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        decode(data)
    assert caught.value.rule == "shape"


def test_a_large_input_is_refused_before_it_is_read() -> None:
    with pytest.raises(BundleError, match="too large") as caught:
        decode(bytes(MAX_BUNDLE_BYTES + 1))
    assert caught.value.rule == "size"


def test_the_code_limit_is_the_one_of_the_schema() -> None:
    schema = (Path(__file__).parents[4] / "schemas" / "bundle.cddl").read_text()
    assert "bstr .size (8..800000)" in schema
    assert "at most 64" in schema
