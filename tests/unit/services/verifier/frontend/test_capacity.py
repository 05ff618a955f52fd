"""frontend/capacity.py: maps that a platform cannot have are refused by name, with what would do; on Linux they are taken."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from services.verifier.errors import Rejection, Unsupported
from services.verifier.frontend import capacity, frontend
from services.verifier.frontend.frontend import Options
from unibpf.formats import bundle
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap, InnerMap
from unibpf.push import loading
from unibpf.push.compile import compile_c

PROGRAM = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
{before}
struct {{ __uint(type, {kind}); __uint(max_entries, {entries}); __uint(map_flags, {flags});
          __type(key, {key}); __type(value, {value}); }} table SEC(".maps");
SEC("xdp") int program(struct xdp_md *ctx)
{{
	{key} key = 0;
	return bpf_map_lookup_elem(&table, &key) ? XDP_DROP : XDP_PASS;
}}
"""


def built(folder: Path, **changes: str) -> bytes:
    words = {"before": "", "kind": "BPF_MAP_TYPE_HASH", "entries": "8", "flags": "0", "key": "__u64", "value": "__u64"}
    source = folder / "program.c"
    source.write_text(PROGRAM.format(**(words | changes)))
    return compile_c(source)


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        (
            {"kind": "BPF_MAP_TYPE_LRU_HASH", "entries": "8000000"},
            "map-size",
            ("`table`", "got 8000000 entries", "384000000 bytes", "at most 1048576", "`--max-entries table=1048576`"),
        ),
        (
            {"kind": "BPF_MAP_TYPE_ARRAY", "key": "__u32", "entries": "512 * 65537"},
            "map-size",
            ("33554944 entries", "--max-entries table="),
        ),
        (
            {"before": "struct table { __u32 slot[65537]; };", "value": "struct table"},
            "map-size",
            ("values", "got 262148 bytes", "at most 65536"),
        ),
        ({"flags": "BPF_F_RDONLY"}, "map-type", ("`table`", "BPF_F_RDONLY", "map_flags")),
        ({"kind": "BPF_MAP_TYPE_XSKMAP", "key": "__u32", "value": "__u32"}, "map-type", ("got xskmap", "devmap")),
    ],
)
def test_a_guest_says_what_it_cannot_have(
    tmp_path: Path, changes: dict[str, str], rule: str, words: tuple[str, ...]
) -> None:
    source = built(tmp_path, **changes)
    with pytest.raises(Rejection) as caught:
        frontend.translate(source, Options())
    said = f"{caught.value.message} {caught.value.hint}"
    assert (caught.value.rule, caught.value.verdict) == (rule, "unsupported")
    assert [word for word in words if word not in said] == []
    assert frontend.translate(source, Options(platform="linux-xdp")).maps == ("table",)


def test_the_size_that_is_named_does(tmp_path: Path) -> None:
    smaller = loading.read({"max_entries": ["table=1048576"]})
    found = frontend.translate(built(tmp_path, entries="8000000"), Options(loading=smaller))
    assert bundle.decode(found.bundle).maps[0].max_entries == 1 << 20


def test_a_guest_has_one_node_of_memory(tmp_path: Path) -> None:
    data = built(tmp_path, flags="BPF_F_NUMA_NODE")
    flags = {
        platform: bundle.decode(frontend.translate(data, Options(platform=platform)).bundle).maps[0].flags
        for platform in ("guest", "linux-xdp")
    }
    assert flags == {"guest": 0, "linux-xdp": 4}


def test_large_global_data_is_for_linux(tmp_path: Path) -> None:
    source = tmp_path / "large.c"
    source.write_text(
        "static volatile unsigned char room[8 << 20];\n"
        '__attribute__((section("xdp"))) int program(void *ctx) { return room[77] ? 1 : 2; }\n'
    )
    data = compile_c(source)
    with pytest.raises(Rejection, match=r"`.bss` has 8388608") as caught:
        frontend.translate(data, Options())
    assert caught.value.rule == "map-size"
    assert frontend.translate(data, Options(platform="linux-xdp")).maps == (".bss",)


def test_maps_that_a_guests_memory_cannot_hold_are_told_with_the_largest_and_what_would_fit() -> None:
    large = BundleMap(
        name="flows", type=MapType.HASH, key_size=8, value_size=24, max_entries=100_000
    )  # 64 bytes an entry
    small = BundleMap(name="few", type=MapType.ARRAY, key_size=4, value_size=4, max_entries=4)
    capacity.check_memory([small, large], 8)
    with pytest.raises(Unsupported) as refused:
        capacity.check_memory([small, large], 4)
    assert refused.value.rule == "map-size"
    assert "map `flows` is too large for guests of 4 MiB: got 100000 entries, 6400000 bytes" in refused.value.message
    assert refused.value.hint is not None and "`--max-entries flows=65533`" in refused.value.hint
    capacity.check_memory([small, replace(large, max_entries=65_533)], 4)
    ring = BundleMap(name="ring", type=MapType.RINGBUF, key_size=0, value_size=0, max_entries=8 << 20)
    with pytest.raises(Unsupported) as refused:
        capacity.check_memory([small, ring], 4)
    assert refused.value.hint is not None and f"`--max-entries ring={2 << 20}`" in refused.value.hint


def named(**fields: object) -> BundleMap:
    return BundleMap(**{"name": "m", "type": MapType.HASH, "key_size": 4, "value_size": 4, "max_entries": 4} | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("platform", ["guest", "linux-xdp"])
@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (named(type=MapType.ARRAY, key_size=8), "keys that are none of its type, array: got 8 bytes, expected 4"),
        (named(type=MapType.PERF_EVENT_ARRAY, value_size=8), "values that are none of its type, perf_event_array"),
        (named(type=MapType.DEVMAP, value_size=12), "got 12 bytes, expected 4 to 8"),
        (named(type=MapType.LPM_TRIE, key_size=3, flags=1), "got 3 bytes, expected 5 to 260"),
        (named(key_size=0), "got 0 bytes, expected 1 or more"),
    ],
)
def test_sizes_that_no_platform_has_are_the_definitions_fault(
    entry: BundleMap, said: str, platform: capacity.Platform
) -> None:
    with pytest.raises(Unsupported) as refused:
        capacity.check(entry, platform)
    assert refused.value.rule == "map-size"
    assert said in refused.value.message


def test_maps_in_maps_and_large_sections_have_limits_too() -> None:
    inner = InnerMap(type=MapType.HASH, key_size=4, value_size=4, max_entries=8_000_000)
    with pytest.raises(Unsupported, match=r"`--max-entries m.inner=1048576`|map `m.inner` is too large"):
        capacity.check(named(type=MapType.ARRAY_OF_MAPS, inner=inner), "guest")
    section = named(name=".bss", type=MapType.ARRAY, value_size=98_304, max_entries=1)
    capacity.check_data(section, "linux-xdp")
    with pytest.raises(Unsupported, match=r"section `.bss` has more global variables .* got 98304 bytes"):
        capacity.check_data(section, "guest")
