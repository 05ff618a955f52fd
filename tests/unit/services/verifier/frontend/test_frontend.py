"""frontend/frontend.py and what it calls: real objects become bundles, bad ones are refused by rule."""

import struct
from pathlib import Path

import pytest

from services.verifier.errors import Rejection
from services.verifier.frontend import frontend
from services.verifier.frontend.debug.lines import locate
from services.verifier.frontend.frontend import Options
from tests.support.programs.bad_objects import DEFECTS, make
from tests.support.programs.programs import compiled, compiled_without_debug_information, refused_programs
from unibpf.formats import bundle, layout
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import Bundle, InnerMap
from unibpf.messages.base import Kind
from unibpf.push.compile import compile_c
from unibpf.push.loading import Loading, Tail

LDDW, CALL = 0x18, 0x85
KEYED = """
#include <linux/bpf.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>
typedef KEY key_of_map;
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, key_of_map); __type(value, __u64); }
    m SEC(".maps");
SEC("xdp") int keyed(struct xdp_md *ctx) {
    key_of_map key;
    __builtin_memset(&key, 0, sizeof(key));
    return bpf_map_lookup_elem(&m, &key) ? XDP_DROP : XDP_PASS;
}
"""
DEFAULT = Options()


def translated(name: str, *defines: str, options: Options = DEFAULT) -> Bundle:
    return bundle.decode(frontend.translate(compiled(name, *defines), options).bundle)


def instructions(code: bytes) -> dict[int, tuple[int, int, int, int]]:
    """{index: (opcode, source register, imm, imm of the second half)}"""
    found, at = {}, 0
    while at < len(code) // 8:
        opcode, registers, _, imm = struct.unpack_from("<BBhi", code, at * 8)
        following = struct.unpack_from("<i", code, at * 8 + 12)[0] if opcode == LDDW else 0
        found[at] = opcode, registers >> 4, imm, following
        at += 2 if opcode == LDDW else 1
    return found


def local_calls(code: bytes) -> list[tuple[int, int]]:
    return [(at, at + 1 + imm) for at, (op, src, imm, _) in instructions(code).items() if op == CALL and src == 1]


@pytest.mark.parametrize(
    ("name", "kind", "outputs"),
    [
        ("pass", "filter", 1),
        ("drop", "filter", 2),
        ("parse", "filter", 3),
        ("rewriter", "rewriter", 3),
        ("classifier", "classifier", 3),
    ],
)
def test_the_section_says_the_kind_and_the_constants_the_outputs(name: str, kind: str, outputs: int) -> None:
    found = translated(name)
    assert (found.name, found.kind, found.outputs) == (name, kind, outputs)


def test_a_classifier_may_say_its_ports_in_its_section() -> None:
    assert translated("classifier", 'PORTS="7"').outputs == 7


def test_a_program_is_named_by_the_push() -> None:
    assert translated("pass", options=Options(name="edge-filter")).name == "edge-filter"


def test_an_impossible_name_is_refused() -> None:
    with pytest.raises(Rejection) as caught:
        translated("pass", options=Options(name="Edge Filter"))
    assert caught.value.rule == "bundle-shape"


class TestMaps:
    def test_only_maps_that_the_code_names_are_there(self) -> None:
        assert [entry.name for entry in translated("maps").maps] == ["flows", "opaque", "hidden"]

    def test_sizes_and_flags_are_those_of_the_definition(self) -> None:
        flows, opaque, hidden = translated("maps").maps
        assert (flows.type, flows.key_size, flows.value_size, flows.max_entries, flows.flags) == (1, 4, 33, 1024, 1)
        assert (opaque.type, opaque.key_size, opaque.value_size, opaque.max_entries) == (2, 4, 64, 4)
        assert (hidden.value_size, hidden.layout) == (6, "s16[3]")

    def test_the_layout_is_canonical(self) -> None:
        flows, opaque, _ = translated("maps").maps
        assert flows.layout == (
            "struct{u64 packets;struct{u8[6] mac;u16 port;} from;union{u32 word;b8 flag;} last;"
            "u32 low:3@160;u32 high:5@163;u32 colour@21;ptr name@25;}#33"
        )
        assert opaque.layout is None

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            ("__u32", "u64"),
            ("enum { A, B }", "u64"),
            ("__be32", "n32=>u64"),
            ("__be16", "n16=>u64"),
            ("struct in6_addr", "n128=>u64"),
            ("struct { __u32 len; __u32 addr; }", "struct{u32 len;u32 addr;}=>u64"),
            ("struct { __be32 s; __be16 p[2]; const volatile __be16 q; }", "struct{n32 s;n16[2] p;n16 q;}=>u64"),
            ("struct { __u32 len; struct in6_addr a; }", "struct{u32 len;n128 a@4;}#20=>u64"),
            ("struct { __u8 a; __be32 b; } __attribute__((packed))", "struct{u8 a;n32 b@1;}#5=>u64"),
        ],
    )
    def test_a_key_that_is_no_plain_number_has_its_layout_before_the_values(
        self, key: str, text: str, tmp_path: Path
    ) -> None:
        source = tmp_path / "keys.c"
        source.write_text(KEYED.replace("KEY", key))
        (found,) = bundle.decode(frontend.translate(compile_c(source), DEFAULT).bundle).maps
        assert found.layout == text
        keys, values = layout.split(found.layout)
        assert values == "u64" and (keys is None or layout.parse(keys).size == found.key_size)

    def test_loads_of_maps_become_indices(self) -> None:
        loads = [(src, imm, off) for op, src, imm, off in instructions(translated("maps").code).values() if op == LDDW]
        assert loads == [(5, 0, 0), (5, 1, 0), (5, 2, 0)]

    def test_what_libbpf_completes_is_completed(self) -> None:
        found = {entry.name: entry for entry in translated("kinds_of_maps").maps}
        assert (found["events"].type, found["events"].max_entries) == (4, 1)
        ring = found["ring"]
        assert (ring.type, ring.key_size, ring.value_size, ring.max_entries) == (27, 0, 0, 8192)

    @pytest.mark.parametrize("data", [compiled("old_maps"), compiled_without_debug_information("old_maps")])
    def test_definitions_of_the_old_form_are_five_numbers(self, data: bytes) -> None:
        found = {entry.name: entry for entry in bundle.decode(frontend.translate(data, Options()).bundle).maps}
        assert set(found) == {"counters", "flows"}
        counters, flows = found["counters"], found["flows"]
        assert (counters.type, counters.key_size, counters.value_size, counters.max_entries) == (2, 4, 8, 3)
        assert (flows.type, flows.key_size, flows.value_size, flows.max_entries, flows.flags) == (9, 8, 16, 64, 2)
        assert counters.layout is None

    def test_the_lock_of_a_value_is_found_in_its_type(self) -> None:
        found = {entry.name: entry.lock for entry in translated("kinds_of_maps").maps}
        assert found == {"locked": 8, "events": None, "ring": None}

    def test_a_map_of_maps_says_what_its_maps_are_and_names_those_it_holds(self) -> None:
        found = translated("outer").maps
        names = [entry.name for entry in found]
        assert sorted(names) == ["first", "second", "tables"]
        tables = found[names.index("tables")]
        assert tables.inner == InnerMap(type=MapType.HASH, key_size=4, value_size=8, max_entries=16)
        assert tables.entries == ((1, names.index("second")), (3, names.index("first")))

    def test_maps_need_debug_information(self) -> None:
        with pytest.raises(Rejection) as caught:
            frontend.translate(compiled_without_debug_information("maps"), Options())
        assert caught.value.rule == "btf-missing"
        assert caught.value.hint == "compile with `clang -g`"

    @pytest.mark.parametrize(
        ("name", "rule", "line", "text"),
        [
            ("legacy_maps", "legacy-maps", 15, "&tables"),
            ("map_unknown_member", "map-definition", 17, "&table"),
            ("map_values", "map-values", 19, "&jumps"),
            ("map_values_unknown", "map-values", 16, "&tables"),
            ("map_values_unlike", "map-values", 30, "&tables"),
        ],
    )
    def test_a_bad_definition_is_shown_where_the_map_is_first_used(
        self, name: str, rule: str, line: int, text: str
    ) -> None:
        chosen = Options(function="jumper" if name == "map_values" else None)
        found = frontend.answer(compiled(f"refused/{name}"), chosen).finding
        assert found is not None
        assert (found.rule, found.line) == (rule, line)
        assert found.source is not None
        assert text in found.source


class TestGlobalData:
    def test_sections_are_array_maps_of_one_entry(self) -> None:
        found = {entry.name: entry for entry in translated("globals").maps}
        assert set(found) == {".rodata", ".data", ".bss"}
        assert {(entry.type, entry.key_size, entry.max_entries) for entry in found.values()} == {(2, 4, 1)}

    def test_initial_bytes_are_the_sections(self) -> None:
        found = {entry.name: entry for entry in translated("globals").maps}
        assert found[".data"].data == struct.pack("<IH", 0x11223344, 0x5566)
        assert found[".rodata"].data == struct.pack("<I", 7) + b"seen %d\0"
        assert found[".bss"].data is None
        assert found[".bss"].value_size == 8

    def test_constants_are_read_only_for_the_program(self) -> None:
        flags = {entry.name: entry.flags for entry in translated("globals").maps}
        assert flags == {".rodata": 128, ".data": 0, ".bss": 0}

    def test_variables_are_named_by_map_and_offset(self) -> None:
        found = translated("globals")
        names = [entry.name for entry in found.maps]
        loads = {
            (names[imm], offset)
            for op, src, imm, offset in instructions(found.code).values()
            if op == LDDW and src == 6
        }
        assert loads == {(".rodata", 0), (".rodata", 4), (".data", 0), (".data", 4), (".bss", 0)}

    def test_written_variables_have_a_layout(self) -> None:
        layouts = {entry.name: entry.layout for entry in translated("globals").maps}
        assert layouts == {".rodata": None, ".data": "struct{u32 first;u16 second;}#6", ".bss": "struct{u64 total;}"}

    def test_debug_information_is_not_needed(self) -> None:
        found = bundle.decode(frontend.translate(compiled_without_debug_information("globals"), Options()).bundle)
        assert [entry.name for entry in found.maps] == [".rodata", ".data", ".bss"]
        assert found.line_info == bundle.LineInfo()


class TestLinking:
    def test_the_entry_comes_first_and_calls_land_on_functions(self) -> None:
        found = frontend.translate(compiled("subprograms"), Options())
        code = bundle.decode(found.bundle).code
        starts = {0} | {target for _, target in local_calls(code)}
        ends = [at + 1 for at, (opcode, *_) in instructions(code).items() if opcode == 0x95]
        assert len(starts) == 5, "entry, middle, global, beside, leaf"
        assert starts - {0} <= set(ends), "a function begins where another one ends"

    def test_calls_reach_the_function_that_the_source_names(self) -> None:
        found = frontend.translate(compiled("subprograms"), Options())
        code = bundle.decode(found.bundle).code
        first_lines = {}
        for _, target in local_calls(code):
            line = locate(found.sources, target)
            assert line is not None
            first_lines[target] = line.text
        for word in ("leaf", "middle", "global", "beside"):
            assert sum(f"int {word}(" in text or text.startswith("frame") for text in first_lines.values()), word
        assert not any("never_called" in text for text in first_lines.values())

    def test_functions_that_nobody_calls_are_left_out(self) -> None:
        texts = {row.text for row in frontend.translate(compiled("subprograms"), Options()).sources}
        assert "return a + 1;" not in texts
        assert "return a > 3 ? leaf(a) : a * 7;" in texts

    def test_the_stack_need_adds_up_along_the_deepest_chain(self) -> None:
        leaf_alone = 8  # `frame` keeps one byte
        assert translated("subprograms").stack >= 2 * leaf_alone
        assert translated("pass").stack == 0

    def test_the_same_object_gives_the_same_bytes(self) -> None:
        data = compiled("globals")
        assert frontend.translate(data, Options()) == frontend.translate(bytes(bytearray(data)), Options())


class TestTailCalls:
    """One object's programs behind one entry: what its program arrays hold is linked with it."""

    def entries(self, options: Options, name: str = "tails") -> dict[int, int]:
        return dict(
            next(entry.entries for entry in translated(name, options=options).maps if entry.type == MapType.PROG_ARRAY)
        )

    def text_at(self, insn: int, options: Options, name: str = "tails") -> str:
        line = locate(frontend.translate(compiled(name), options).sources, insn)
        assert line is not None
        return line.text

    def test_programs_of_other_sections_static_functions_and_the_entry_itself_are_targets(self) -> None:
        chosen = Options(function="jumper")
        entries = self.entries(chosen)
        assert list(entries) == [0, 2, 5]
        assert entries[5] == 0, "the entry comes first"
        assert self.text_at(entries[0], chosen) == 'SEC("xdp") int target(struct xdp_md *ctx)'
        assert self.text_at(entries[2], chosen) == "return XDP_PASS;"

    def test_targets_share_the_maps_of_the_bundle(self) -> None:
        assert [entry.name for entry in translated("tails", options=Options(function="jumper")).maps] == [
            "seen",
            "jumps",
        ]

    def test_outputs_and_helpers_of_targets_count(self) -> None:
        found = translated("tails", options=Options(function="jumper"))
        assert (found.helpers, found.outputs) == ((1, 12), 3), "the target looks up and transmits"

    def test_a_program_array_without_values_is_empty(self) -> None:
        found = translated("tails_by_loader", options=Options(function="entry"))
        assert found.maps[0].entries == ()

    def test_the_pusher_fills_what_a_loader_would_fill(self) -> None:
        tails = (Tail("jmp_table", 3, "handler_a"), Tail("jmp_table", 0, "entry"))
        chosen = Options(function="entry", loading=Loading(tails=tails))
        entries = self.entries(chosen, "tails_by_loader")
        assert list(entries) == [0, 3]
        assert entries[0] == 0
        assert self.text_at(entries[3], chosen, "tails_by_loader") == "return XDP_TX;"

    def test_the_pushers_choice_replaces_the_objects(self) -> None:
        entries = self.entries(Options(function="jumper", loading=Loading(tails=(Tail("jumps", 0, "jumper"),))))
        assert entries[0] == 0

    @pytest.mark.parametrize(
        ("tail", "rule", "word"),
        [
            (Tail("jump_table", 0, "handler_a"), "tail-choice", "`jmp_table`"),
            (Tail("jmp_table", 4, "handler_a"), "tail-choice", "expected below 4"),
            (Tail("jmp_table", 0, "handler_b"), "tail-choice", "`handler_b`"),
            (Tail("jmp_table", 0, "port"), "map-values", "another kind"),
        ],
    )
    def test_a_choice_that_cannot_be_is_refused(self, tail: Tail, rule: str, word: str) -> None:
        found = frontend.answer(
            compiled("tails_by_loader"), Options(function="entry", loading=Loading(tails=(tail,)))
        ).finding
        assert found is not None
        assert found.rule == rule
        assert word in found.message


class TestCallbacks:
    def test_functions_whose_address_is_taken_are_linked_and_named_relatively(self) -> None:
        found = translated("callback")
        code = instructions(found.code)
        loads = [at + 1 + imm for at, (op, src, imm, second) in code.items() if op == LDDW and src == 4 and second == 0]
        ends = [at + 1 for at, (opcode, *_) in code.items() if opcode == 0x95]
        assert len(loads) == 2
        assert set(loads) == set(ends[:-1]), "each begins where another function ends"

    def test_a_callbacks_frame_lies_below_the_callers(self) -> None:
        assert translated("callback").stack == 8 + 32  # `sum`, and `kept` of the deeper callback


class TestKinds:
    @pytest.mark.parametrize("kind", ["filter", "classifier", "rewriter"])
    def test_the_pusher_says_what_an_xdp_program_is(self, kind: Kind) -> None:
        assert translated("pass", options=Options(kind=kind)).kind == kind

    def test_a_section_of_ours_says_its_kind_itself(self) -> None:
        assert translated("rewriter", options=Options(kind="rewriter")).kind == "rewriter"
        answer = frontend.answer(compiled("rewriter"), Options(kind="filter"))
        assert answer.bad_input
        assert answer.finding is not None
        assert answer.finding.rule == "program-choice"

    @pytest.mark.parametrize("section", ["xdp", "xdp.frags", "xdp_drop", "xdp/anything", "xdp.frags/anything", "xdp1"])
    def test_sections_that_libbpf_takes_for_xdp_are_filters(self, section: str) -> None:
        assert translated("pass", f'SECTION="{section}"').kind == "filter"

    @pytest.mark.parametrize(
        "section", ["xdp/devmap", "xdp/cpumap", "xdp_devmap/x", "xdp.frags/devmap", "xdp.frags/cpumap"]
    )
    def test_programs_of_devmaps_and_cpumaps_are_for_linux(self, section: str) -> None:
        data = compiled("pass", f'SECTION="{section}"')
        assert bundle.decode(frontend.translate(data, Options(platform="linux-xdp")).bundle).kind == "filter"
        with pytest.raises(Rejection) as caught:
            frontend.translate(data, Options())
        assert caught.value.rule == "section-unknown"

    @pytest.mark.parametrize(
        ("section", "hook"),
        [
            ("xdp", "driver"),
            ("xdp.frags", "driver"),
            ("xdp_devmapper", "driver"),
            ("unibpf/rewriter", "driver"),
            ("xdp/devmap", "devmap"),
            ("xdp_devmap/x", "devmap"),
            ("xdp.frags/devmap", "devmap"),
            ("xdp/cpumap", "cpumap"),
        ],
    )
    def test_the_section_says_where_linux_attaches_a_program(self, section: str, hook: str) -> None:
        assert frontend.hook_of(section) == hook


class TestCoreRelocations:
    def test_types_that_every_kernel_lays_out_alike_need_no_kernel(self) -> None:
        code = instructions(translated("wire_types").code)
        assert (0x69, 12) in {
            (opcode, offset_of(translated("wire_types").code, at)) for at, (opcode, *_) in code.items()
        }

    @pytest.mark.parametrize("name", ["core_relocation", "core_relocation_partial"])
    def test_others_are_refused_by_the_name_of_their_type(self, name: str) -> None:
        found = frontend.answer(compiled(f"refused/{name}"), Options()).finding
        assert found is not None
        assert ("`iphdr`" if "partial" in name else "`device___of_old`") in found.message


def offset_of(code: bytes, at: int) -> int:
    return int(struct.unpack_from("<h", code, at * 8 + 2)[0])


class TestLines:
    def test_rows_name_the_source_line_of_each_instruction(self) -> None:
        found = frontend.translate(compiled("parse"), Options())
        end = found.instructions - 1
        last = locate(found.sources, end)
        assert last is not None
        assert (last.file, last.line, last.text) == ("parse.c", 15, "}")
        texts = [row.text for row in found.sources]
        assert "if ((void *)(ethernet + 1) > data_end)" in texts

    def test_the_bundle_has_places_and_no_text(self) -> None:
        found = frontend.translate(compiled("parse"), Options())
        info = bundle.decode(found.bundle).line_info
        assert info.files == ("parse.c",)
        assert [(row.insn, row.line, row.column) for row in info.lines] == [
            (row.insn, row.line, row.column) for row in found.sources
        ]
        assert b"ethernet" not in found.bundle

    def test_inlined_code_keeps_its_own_lines(self) -> None:
        texts = {row.text for row in frontend.translate(compiled("inlined"), Options()).sources}
        assert "return (sum ^ part) * 31;" in texts


class TestChoice:
    def test_one_of_several_programs_has_to_be_chosen(self) -> None:
        answer = frontend.answer(compiled("several"), Options())
        assert answer.bad_input
        assert answer.finding is not None
        assert answer.finding.rule == "program-choice"
        for name in ("`first` in `xdp`", "`second` in `xdp`", "`third` in `unibpf/filter`"):
            assert name in answer.finding.message

    @pytest.mark.parametrize(
        ("options", "function"),
        [
            (Options(function="second"), "second"),
            (Options(section="unibpf/filter"), "third"),
            (Options(section="xdp", function="first"), "first"),
            (Options(name="second"), "second"),
        ],
    )
    def test_section_function_or_the_programs_own_name_choose(self, options: Options, function: str) -> None:
        assert frontend.translate(compiled("several"), options).function == function

    @pytest.mark.parametrize(
        "options", [Options(function="fourth"), Options(section="unibpf/filter", function="first")]
    )
    def test_a_choice_that_does_not_exist_is_refused(self, options: Options) -> None:
        with pytest.raises(Rejection, match="no program matches") as caught:
            frontend.translate(compiled("several"), options)
        assert caught.value.rule == "program-choice"

    def test_a_choice_passes_unknown_sections_by(self) -> None:
        assert frontend.translate(compiled("refused/section_unknown"), Options(function="good")).kind == "filter"

    def test_an_unknown_section_cannot_be_chosen(self) -> None:
        with pytest.raises(Rejection) as caught:
            frontend.translate(compiled("refused/section_unknown"), Options(section="freplace/xdp_pass"))
        assert caught.value.rule == "section-unknown"

    def test_all_programs_can_be_translated_at_once(self) -> None:
        assert [found.name for found in frontend.translate_all(compiled("several"))] == ["first", "second", "third"]


# refused/<name>.c: its rule, and a word of the message; the file's name begins with the rule where it can
REFUSALS = {
    "refused/core_relocation": ("core-relocation", "CO-RE"),
    "refused/core_relocation_partial": ("core-relocation", "`iphdr`"),
    "refused/data_relocation": ("data-relocation", "`.data`"),
    "refused/extern_function": ("extern-symbol", "`elsewhere`"),
    "refused/extern_symbol": ("extern-symbol", "`elsewhere`"),
    "refused/function_pointer": ("function-pointer", "through its address"),
    "refused/legacy_maps": ("legacy-maps", "`tables`"),
    "refused/map_unknown_member": ("map-definition", "`colour`"),
    "refused/map_values": ("map-values", "`jumps`"),
    "refused/map_values_unknown": ("map-values", "does not say"),
    "refused/map_values_unlike": ("map-values", "`narrow`"),
    "refused/program_missing": ("program-missing", "no program"),
    "refused/recursion": ("recursion", "circle: `even`, `odd`"),
    "refused/section_devmap": ("section-unknown", "`xdp/devmap`"),
    "refused/section_struct_ops": ("section-unknown", "`struct_ops/init`"),
    "refused/section_unknown": ("section-unknown", "`freplace/xdp_pass`"),
    "refused/stack_depth": ("stack-depth", "9 frames"),
    "refused/stack_depth_tails": ("stack-depth", "`again`"),
}


def test_every_refused_program_has_its_rule() -> None:
    assert set(refused_programs()) == set(REFUSALS)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_not_supported_is_refused_by_name(name: str) -> None:
    rule, word = REFUSALS[name]
    answer = frontend.answer(compiled(name), Options(function="jumper" if name == "refused/map_values" else None))
    assert answer.finding is not None
    assert (answer.finding.rule, answer.verdict) == (rule, "unsupported")
    assert word in answer.finding.message


def test_a_refusal_names_the_source_line_where_there_is_one() -> None:
    finding = frontend.answer(compiled("refused/extern_symbol"), Options()).finding
    assert finding is not None
    assert (finding.file, finding.line) == ("extern_symbol.c", 9)
    assert finding.source == "return elsewhere ? XDP_PASS : XDP_DROP;"


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_bad_object_is_refused_with_the_rule_that_it_breaks(defect: str) -> None:
    rule, _ = DEFECTS[defect]
    answer = frontend.answer(make(defect), Options())
    assert answer.translation is None
    assert answer.finding is not None
    assert answer.finding.rule == rule
    assert answer.finding.message
    assert not answer.finding.message.endswith(".")
