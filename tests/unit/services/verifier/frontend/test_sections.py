"""frontend/frontend.py: sections that are programs, by the names that libbpf and compilers give them."""

import subprocess
from pathlib import Path

import pytest

from services.verifier.errors import Rejection
from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Options
from tests.support.programs.programs import compiled
from unibpf.formats import bundle
from unibpf.push.compile import find_compiler

OBJECT = "sections"


def chosen(**words: str) -> str:
    return frontend.translate(compiled(OBJECT), Options(**words)).function  # type: ignore[arg-type]  # names of fields


@pytest.mark.parametrize(
    ("words", "function"),
    [
        ({"section": "xdp.frags"}, "frags"),
        ({"section": "?xdp"}, "not_loaded"),
        ({"function": "not_loaded"}, "not_loaded"),
        ({"section": "xdp.frags/devmap", "platform": "linux-xdp"}, "of_devmap"),
        ({"section": "xdp_cpumap/out", "platform": "linux-xdp"}, "of_cpumap"),
        ({"section": "classifier", "kind": "filter"}, "of_tc"),
        ({"section": ".text", "kind": "filter"}, "in_text"),
    ],
)
def test_a_section_is_a_program_by_its_name_or_by_the_choice(words: dict[str, str], function: str) -> None:
    assert chosen(**words) == function


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"section": "xdp.frags/devmap"}, "for the entries of a devmap, which guests do not run"),
        ({"section": "classifier"}, "of an unknown kind"),
        ({"section": "xdp_cpumap/out", "kind": "filter"}, "for the entries of a cpumap"),
    ],
)
def test_others_are_refused_with_what_they_are(words: dict[str, str], message: str) -> None:
    with pytest.raises(Rejection, match=message) as caught:
        chosen(**words)
    assert caught.value.rule == "section-unknown"
    assert caught.value.hint


def test_a_program_that_no_loader_would_load_is_not_meant(tmp_path: Path) -> None:
    source = tmp_path / "two.c"
    source.write_text(
        '__attribute__((section("?xdp"))) int one(void *c) { return 1; }\n'
        '__attribute__((section("xdp"))) int two(void *c) { return 2; }\n'
    )
    assert frontend.translate(built(source), Options()).function == "two"


def built(source: Path, *flags: str) -> bytes:
    target = source.with_suffix(".o")
    subprocess.run([find_compiler(), "-O2", "-target", "bpf", *flags, "-c", source, "-o", target], check=True)
    return target.read_bytes()


def test_functions_may_have_sections_of_their_own(tmp_path: Path) -> None:
    source = tmp_path / "functions.c"
    source.write_text(
        "__attribute__((noinline)) int twice(int value) { return value * 2; }\n"
        '__attribute__((section("xdp"))) int entry(void *c) { return twice(*(int *)(c + 16)); }\n'
    )
    found = frontend.translate(built(source, "-ffunction-sections"), Options())
    assert (found.function, found.instructions) == ("entry", 6)


def test_symbols_without_a_type_begin_functions(tmp_path: Path) -> None:
    """As LLVM before 8 and assemblers write them; labels inside a function begin none."""
    source = tmp_path / "old.s"
    source.write_text(
        '.section "xdp","ax",@progbits\n'
        ".globl entry\n"
        "entry:\n"
        "  r1 = 3\n"
        "  call helped\n"
        "  if r0 == 0 goto LBB0_1\n"
        "  r0 = 2\n"
        "LBB0_1:\n"
        "  exit\n"
        "helped:\n"
        "  r0 = r1\n"
        "  exit\n"
    )
    found = frontend.translate(built(source), Options())
    assert (found.function, found.instructions) == ("entry", 7)


def test_all_programs_of_an_object_are_read_once() -> None:
    data = compiled("several")
    known = frontend.answers(data, Options())
    assert [choice.function for choice, _ in known] == ["first", "second", "third"]
    for choice, answer in known:
        assert answer == frontend.answer(data, choice)


@pytest.mark.parametrize(("name", "kind", "is_open"), [("rewriter", "rewriter", False), ("parse", "filter", True)])
def test_the_least_kind_is_open_where_nobody_said_it(name: str, kind: str, is_open: bool) -> None:
    found = frontend.translate(compiled(name), Options())
    assert (found.kind, found.kind_is_open) == (kind, is_open)


def test_a_helper_that_moves_the_packet_makes_a_rewriter(tmp_path: Path) -> None:
    source = tmp_path / "cut.c"
    source.write_text(
        "static long (*adjust_tail)(void *, int) = (void *)65;\n"
        '__attribute__((section("xdp"))) int cut(void *c) { return adjust_tail(c, -4) ? 1 : 2; }\n'
    )
    data = built(source)
    assert bundle.decode(frontend.translate(data, Options()).bundle).kind == "rewriter"
    assert bundle.decode(frontend.translate(data, Options(kind="filter")).bundle).kind == "filter"
