"""frontend/constants.py: variables that a loader would set, by name; test_values.py has what each type takes."""

import pytest

from services.verifier.errors import Rejection
from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Options
from tests.support.programs.programs import compiled, compiled_without_debug_information
from unibpf.formats import bundle
from unibpf.push.loading import Constant, Loading

# What -DSET of settings.c compiles in.
SET = (
    "limit=70000",
    "offset=-2",
    "far=-0x10000000000",
    "enabled=true",
    "name=text:eth0",
    "letter='x'",
    "mode=MODE_TX",
    "sign=BELOW",
    "ports[3]=53",
    "grid[1][2]=9",
    "mac=02:00:00:00:01:06",
    "peer=fd00::1",
    "cfg.rules[1].address=10.0.0.1",
    "cfg.rules[1].port=53",
    "cfg.rules[1].low=5",
    "cfg.rules[1].high=17",
    "cfg.bytes[1]=hex:aa",
    "seed=9",
    "settings.inside=5",
)


def options(*words: str) -> Options:
    return Options(loading=Loading(constants=tuple(map(Constant.parse, words))))


def data(source: bytes, *words: str) -> dict[str, bytes | None]:
    found = bundle.decode(frontend.translate(source, options(*words)).bundle)
    return {entry.name: entry.data for entry in found.maps}


def refusal(*words: str, program: str = "settings") -> str:
    found = frontend.answer(compiled(program), options(*words))
    assert found.bad_input
    assert found.finding is not None
    assert found.finding.rule == "constant-choice"
    return f"{found.finding.message}; {found.finding.hint}"


def test_what_is_set_is_what_the_compiler_would_have_set() -> None:
    found, expected = data(compiled("settings"), *SET), data(compiled("settings", "SET"))
    assert found[".rodata"] == expected[".rodata"]
    assert found[".rodata"] != data(compiled("settings"))[".rodata"]


def test_variables_that_start_as_zeroes_get_bytes_only_when_they_are_set() -> None:
    assert data(compiled("settings"), "zeroed=0")[".bss"] is None
    found = data(compiled("settings"), "zeroed=258")[".bss"]
    assert found is not None
    assert found.count(b"\x02\x01\0\0\0\0\0\0") == 1
    assert sum(found) == 3


def test_what_is_not_set_stays_as_the_object_has_it() -> None:
    assert data(compiled("globals"), "limit=9") == data(compiled("globals")) | {".rodata": b"\x09\0\0\0seen %d\0"}
    assert data(compiled("globals"), "second=1")[".data"] == b"\x44\x33\x22\x11\x01\x00"


def test_the_later_word_counts() -> None:
    plain = data(compiled("settings"), "cfg.rules[1].port=53", "limit=2")
    assert data(compiled("settings"), f"cfg=hex:{'00' * 24}", "cfg.rules[1].port=53", "limit=1", "limit=2") == plain


def test_constants_are_part_of_what_is_hashed_and_signed() -> None:
    bundles = {
        frontend.translate(compiled("settings"), options(*words)).bundle for words in ((), ("limit=1",), ("limit=2",))
    }
    assert len(bundles) == 3
    assert frontend.translate(compiled("settings"), options("limit=0")).bundle in bundles, (
        "what the object says already"
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("limt=1", "no global variable is named `limt`: the object has `limit`, "),
        ("limt=1", "; did you mean `limit`?"),
        ("_license=text:GPL", "no global variable is named `_license`"),
        ("cfg.rules[0].prt=1", "`cfg.rules[0]` has no member `prt`: it has `port`, `address`, `low`, `high`"),
        ("ports.x=1", "`ports` is of type `__u16[4]` and has no member `x`"),
        ("limit.x=1", "`limit` is of type `__u32` and has no member `x`"),
        ("limit[0]=1", "`limit` is of type `__u32` and no array"),
        ("ports[4]=1", "`ports` has 4 elements: got index 4, expected below 4"),
        ("cfg.rules[1]port=1", "`cfg.rules[1]port` is no name: got `port`, expected `.member` or `[index]`"),
        ("ports[01]=1", "`ports[01]` is no name: got `[01]`"),
        ("ports[=1", "`ports[` is no name"),
    ],
)
def test_a_name_that_is_none_is_refused_with_what_there_is(word: str, said: str) -> None:
    assert said in refusal(word)


def test_names_need_type_information() -> None:
    with pytest.raises(Rejection) as caught:
        frontend.translate(compiled_without_debug_information("globals"), options("limit=1"))
    assert (caught.value.rule, caught.value.hint) == ("btf-missing", "compile with `clang -g`")
