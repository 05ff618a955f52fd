"""unibpf.formats.map_differences: what a guest's refusal of a map is about."""

import pytest

from unibpf.formats.bundle import Bundle, BundleMap
from unibpf.formats.map_differences import of_bundle, of_status, sentences
from unibpf.messages.status import MapStatus

FLOWS = BundleMap(
    name="flows", type=9, key_size=4, value_size=16, max_entries=10, layout="n32=>struct{u64 packets;u64 bytes;}"
)


def changed(**fields: object) -> list[str]:
    base = {name: getattr(FLOWS, name) for name in FLOWS.__struct_fields__}
    return sentences(of_bundle(program(FLOWS)), of_bundle(program(BundleMap(**(base | fields)))))


def program(*maps: BundleMap) -> Bundle:
    return Bundle(name="fw", kind="filter", code=bytes(16), outputs=3, maps=list(maps))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"key_size": 16, "layout": "n128=>struct{u64 packets;u64 bytes;}"}, "key of 4 bytes `n32`, now 16 `n128`"),
        ({"layout": "u8[4]=>struct{u64 packets;u64 bytes;}"}, "key `n32`, now `u8[4]`"),
        (
            {"value_size": 24, "layout": "n32=>u64[3]"},
            "value of 16 bytes `struct{u64 packets;u64 bytes;}`, now 24 `u64[3]`",
        ),
        ({"layout": "n32=>struct{u64 bytes;u64 packets;}"}, "now `struct{u64 bytes;u64 packets;}`"),
        ({"layout": None}, "now of no known layout"),
        ({"type": 1}, "type lru_hash, now hash"),
        ({"max_entries": 20}, "at most 10 entries, now 20"),
        ({"flags": 2}, "flags 0, now 2"),
    ],
)
def test_the_map_is_named_with_what_differs(fields: dict[str, object], said: str) -> None:
    (sentence,) = changed(**fields)
    assert sentence.startswith("map `flows`: ") and said in sentence


def test_what_is_the_same_new_or_never_kept_is_not_named() -> None:
    assert changed() == []
    assert sentences({}, of_bundle(program(FLOWS))) == []
    array = BundleMap(name="jumps", type=3, key_size=4, value_size=4, max_entries=4)
    assert (
        of_bundle(program(array, BundleMap(name=".rodata", type=2, key_size=4, value_size=8, max_entries=1, flags=128)))
        == {}
    )


def test_sizes_are_known_from_the_guest_alone() -> None:
    row = MapStatus(name="flows", type=9, key_size=8, value_size=16, max_entries=10, entries=3)
    (sentence,) = sentences(of_status([row]), of_bundle(program(FLOWS)))
    assert sentence == "map `flows`: key of 8 bytes, now 4 `n32`"
