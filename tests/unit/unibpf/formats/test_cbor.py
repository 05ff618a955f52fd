"""unibpf.formats.cbor: one value, one encoding; anything else is refused by rule."""

from collections.abc import Mapping

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unibpf.formats.cbor import CborError, Tag, decode, encode

LIMIT = 1 << 20

scalars = st.one_of(st.integers(-(1 << 64), (1 << 64) - 1), st.binary(max_size=300), st.text(max_size=100))
keys = st.one_of(st.integers(-30, 300), st.text(max_size=5))
items = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(keys, inner, max_size=5),
        st.builds(Tag, st.sampled_from([17, 18, 61]), inner),  # tags that cbor2 gives no meaning
    ),
    max_leaves=12,
)


@given(items)
def test_every_item_comes_back_and_an_independent_reader_agrees(item: object) -> None:
    data = encode(item)
    assert decode(data, max_bytes=LIMIT, max_depth=20) == item
    assert encode(decode(data, max_bytes=LIMIT, max_depth=20)) == data
    assert plain(cbor2.loads(data)) == plain(item)


def plain(item: object) -> object:
    """cbor2's and our own containers made alike."""
    match item:
        case Tag(number=number, value=value) | cbor2.CBORTag(tag=number, value=value):
            return ("tag", number, plain(value))
        case list() | tuple():
            return [plain(element) for element in item]
        case Mapping():
            return {key: plain(value) for key, value in item.items()}
    return item


@given(st.binary(max_size=60))
def test_whatever_is_decoded_encodes_to_the_same_bytes(data: bytes) -> None:
    try:
        item = decode(data, max_bytes=LIMIT)
    except CborError:
        return
    assert encode(item) == data


def test_keys_are_ordered_by_their_bytes_and_not_by_length_first() -> None:
    # RFC 8949 4.2.1: 10, 100, -1; the older rule of RFC 7049 3.9 gives 10, -1, 100.
    assert encode({-1: 0, 100: 0, 10: 0}).hex() == "a30a0018640020" + "00"


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        ("truncated", ""),
        ("truncated", "18"),
        ("truncated", "42ff"),
        ("truncated", "9b00000001ffffffff"),
        ("minimal", "1817"),
        ("minimal", "190001"),
        ("minimal", "1900ff"),
        ("minimal", "1a0000ffff"),
        ("minimal", "1b00000000ffffffff"),
        ("minimal", "5801ff"),
        ("indefinite", "9fff"),
        ("indefinite", "5f4100ff"),
        ("major", "1c"),
        ("major", "f6"),
        ("major", "f5"),
        ("major", "fb3ff0000000000000"),
        ("text", "61ff"),
        ("key", "a1410000"),
        ("key", "a1800000"),
        ("duplicate-key", "a201000100"),
        ("order", "a202000100"),
        ("order", "a220000a00"),
        ("trailing", "0000"),
        ("depth", "81" * 9 + "00"),
        ("depth", "d2" * 9 + "00"),
    ],
)
def test_each_rule_refuses_its_defect(rule: str, data: str) -> None:
    with pytest.raises(CborError) as caught:
        decode(bytes.fromhex(data), max_bytes=LIMIT)
    assert caught.value.rule == rule


def test_the_size_cap_comes_before_everything() -> None:
    with pytest.raises(CborError, match="got 3 bytes, expected at most 2") as caught:
        decode(b"\xff\xff\xff", max_bytes=2)
    assert caught.value.rule == "size"


def test_eight_containers_nest_and_a_huge_count_builds_nothing() -> None:
    assert decode(b"\x81" * 8 + b"\x00", max_bytes=LIMIT) == [[[[[[[[0]]]]]]]]
    with pytest.raises(CborError, match="claims 4294967295 items"):
        decode(bytes.fromhex("9affffffff"), max_bytes=LIMIT)


@pytest.mark.parametrize(
    ("rule", "item"), [("type", True), ("type", 1.5), ("type", None), ("range", 1 << 64), ("key", {b"x": 1})]
)
def test_what_the_schemas_do_not_have_is_not_encoded(rule: str, item: object) -> None:
    with pytest.raises(CborError) as caught:
        encode(item)
    assert caught.value.rule == rule
