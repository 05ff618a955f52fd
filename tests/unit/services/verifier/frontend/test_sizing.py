"""frontend/sizing.py and initial.py: maps that only a loader sizes, and what it puts into maps of maps."""

from pathlib import Path

import pytest

from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Answer, Options
from tests.support.programs.programs import compiled
from unibpf.formats import bundle
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import Bundle, InnerMap
from unibpf.messages.reports import Finding
from unibpf.push import loading
from unibpf.push.compile import compile_c

SIZES = ("flows=16", "events=5000")
INNER = ("tables:3=second",)


def answer(*sizes: str, inner: tuple[str, ...] = (), program: str = "sized_by_loader") -> Answer:
    return frontend.answer(
        compiled(program), Options(loading=loading.read({"max_entries": sizes, "inner_maps": inner}))
    )


def translated(*sizes: str, inner: tuple[str, ...] = (), program: str = "sized_by_loader") -> Bundle:
    found = answer(*sizes, inner=inner, program=program)
    assert found.translation is not None, found.finding
    return bundle.decode(found.translation.bundle)


def refused(*sizes: str, inner: tuple[str, ...] = (), program: str = "sized_by_loader") -> Finding:
    found = answer(*sizes, inner=inner, program=program).finding
    assert found is not None
    return found


def test_a_map_is_as_large_as_is_said_and_completed_as_libbpf_does() -> None:
    sizes = {entry.name: entry.max_entries for entry in translated(*SIZES, inner=INNER).maps}
    assert sizes == {"flows": 16, "events": 8192, "second": 2, "tables": 4}


def test_what_is_said_counts_where_the_object_says_otherwise() -> None:
    found = {entry.name: entry.max_entries for entry in translated("flows=7", program="maps").maps}
    assert found["flows"] == 7
    assert found["opaque"] == 4


def test_definitions_of_the_old_form_are_sized_alike() -> None:
    found = {entry.name: entry.max_entries for entry in translated("flows=1", "counters=9", program="old_maps").maps}
    assert found == {"counters": 9, "flows": 1}


def test_a_map_of_maps_takes_a_template_and_stays_empty() -> None:
    found = {entry.name: entry for entry in translated(*SIZES, inner=("tables=first",)).maps}
    assert found["tables"].inner == InnerMap(type=MapType.ARRAY, key_size=4, value_size=8, max_entries=2)
    assert found["tables"].entries == ()
    assert "first" not in found, "a template is no map of the program"


def test_a_map_that_is_put_in_is_the_template_where_none_is_named() -> None:
    found = translated(*SIZES, inner=("tables:3=second", "tables:0=first", "tables:3=first")).maps
    names = [entry.name for entry in found]
    assert found[names.index("tables")].entries == ((0, names.index("first")), (3, names.index("first")))


def test_the_maps_of_a_map_of_maps_are_sized_by_libbpfs_name() -> None:
    words = ("tables.inner=5", *SIZES)
    found = {entry.name: entry for entry in translated(*words, inner=("tables=first",)).maps}
    assert found["tables"].inner is not None
    assert found["tables"].inner.max_entries == 5
    assert refused(*words, inner=("tables:0=first",)).rule == "map-values", "it is not what the definition says now"
    assert translated("first=5", *words, inner=("tables:0=first",)) is not None


def test_the_objects_own_maps_of_maps_take_more() -> None:
    found = translated(inner=("tables:0=first",), program="outer").maps
    names = [entry.name for entry in found]
    assert [index for index, _ in found[names.index("tables")].entries] == [0, 1, 3]


@pytest.mark.parametrize(
    ("sizes", "inner", "rule", "line", "hint"),
    [
        (SIZES, (), "map-values", 37, "`--inner tables=MAP`"),
        (SIZES[1:], INNER, "map-definition", 35, "`--max-entries flows=N`"),
        (SIZES[:1], INNER, "map-definition", 36, "`--max-entries events=N`"),
    ],
)
def test_what_only_a_loader_knows_is_asked_for_where_the_map_is_used(
    sizes: tuple[str, ...], inner: tuple[str, ...], rule: str, line: int, hint: str
) -> None:
    found = refused(*sizes, inner=inner)
    assert (found.rule, found.line) == (rule, line)
    assert found.hint is not None
    assert hint in found.hint


@pytest.mark.parametrize(
    ("sizes", "inner", "rule", "said"),
    [
        (("flow=1",), (), "size-choice", "no map is named `flow`: the object has `flows`, `events`"),
        ((".rodata=1",), (), "size-choice", "no map is named `.rodata`"),
        (("flows.inner=1",), (), "size-choice", "`flows`"),
        ((), ("tabels=first",), "inner-choice", "no map is named `tabels`"),
        ((), ("tables=third",), "inner-choice", "no map is named `third`"),
        ((), ("flows=first",), "inner-choice", "map `flows` is no map of maps: got type 1"),
        ((), ("tables:4=first",), "inner-choice", "map `tables` has no entry 4, expected below 4"),
        ((), ("tables=tables",), "map-values", "map `tables` is a map of maps of maps"),
        (SIZES, ("tables=first", "tables:0=flows"), "map-values", "map `flows` is not what the maps of map `tables`"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(
    sizes: tuple[str, ...], inner: tuple[str, ...], rule: str, said: str
) -> None:
    found = refused(*sizes, inner=inner)
    assert found.rule == rule
    assert said in found.message


def test_a_map_that_is_cut_below_what_the_object_puts_into_it_is_refused() -> None:
    found = refused("tables=2", program="outer")
    assert (found.rule, found.message) == ("map-definition", "map `tables` has a value at index 3, expected below 2")


OLD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct old { unsigned int type, key_size, value_size, max_entries, map_flags; };
struct old inner SEC("maps") = {BPF_MAP_TYPE_HASH, 4, 8, 16, 0};
struct old outer SEC("maps") = {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 2, 0};
SEC("xdp") int old_outer(struct xdp_md *ctx)
{
	__u32 key = 1;

	return bpf_map_lookup_elem(&outer, &key) ? XDP_PASS : XDP_DROP;
}
"""


def test_a_map_of_maps_of_the_old_form_takes_a_template_too(tmp_path: Path) -> None:
    (tmp_path / "old.c").write_text(OLD)
    data = compile_c(tmp_path / "old.c")
    refusal = frontend.answer(data, Options()).finding
    assert refusal is not None
    assert (refusal.rule, "`--inner outer=MAP`" in str(refusal.hint)) == ("legacy-maps", True)
    options = Options(loading=loading.read({"inner_maps": ["outer:1=inner"]}))
    found = {entry.name: entry for entry in bundle.decode(frontend.translate(data, options).bundle).maps}
    assert found["outer"].inner == InnerMap(type=MapType.HASH, key_size=4, value_size=8, max_entries=16)
    assert len(found["outer"].entries) == 1
