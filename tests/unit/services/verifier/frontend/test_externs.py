"""frontend/externs.py, core_relocations.py and offers.py: what a loader would ask a kernel, answered without one."""

import re
from pathlib import Path

import pytest

from services.verifier.errors import Rejection
from services.verifier.frontend import capacity, frontend, offers
from services.verifier.frontend.frontend import Options, Platform
from tests.support.programs.bundles import Runner
from tests.support.programs.programs import compiled
from unibpf.formats import bundle
from unibpf.push import loading

ROOT = Path(__file__).parents[5]
DROP, PASS = 1, 2


@pytest.fixture
def runner(bin_directory: Path, tmp_path: Path) -> Runner:
    return Runner(executable=bin_directory / "unibpf-run", directory=tmp_path)


def translated(function: str, *constants: str, platform: Platform = "guest") -> bytes:
    options = Options(function=function, platform=platform, loading=loading.read({"constants": constants}))
    return frontend.translate(compiled("externs"), options).bundle


def verdict(runner: Runner, found: bytes) -> int:
    return int(runner.run(found)[0]["verdict_code"])


def test_what_a_kernel_would_be_asked_has_one_answer(runner: Runner) -> None:
    asked = verdict(runner, frontend.translate(compiled("kernel_questions"), Options()).bundle)
    assert [bit for bit in range(17) if asked >> bit & 1] == [0, 2, 3, 5, 7, 9, 11, 12, 14, 15, 16]


def test_on_linux_only_a_kernel_knows_where_other_fields_lie() -> None:
    with pytest.raises(Rejection, match="depends on the kernel"):  # where a field lies of a type that no kernel has
        frontend.translate(compiled("kernel_questions"), Options(platform="linux-xdp"))


@pytest.mark.parametrize(
    ("function", "constants", "expected"),
    [
        ("version", (), DROP),
        ("version", ("LINUX_KERNEL_VERSION=0x060000",), DROP),
        ("version", ("LINUX_KERNEL_VERSION=0x060000", "CONFIG_BPF_JIT=true"), PASS),
        ("ticks", ("CONFIG_HZ=250",), PASS),
        ("ticks", ("CONFIG_HZ=100",), DROP),
        ("stamped", (), PASS),
    ],
)
def test_what_is_not_there_is_zero_until_it_is_set(
    runner: Runner, function: str, constants: tuple[str, ...], expected: int
) -> None:
    assert verdict(runner, translated(function, *constants)) == expected


def test_a_version_of_linux_is_known_on_linux() -> None:
    found = bundle.decode(translated("version", platform="linux-xdp"))
    assert (next(entry.data for entry in found.maps if entry.name == ".kconfig") or b"")[:4] == b"\x00\x01\x06\x00"


@pytest.mark.parametrize(
    ("function", "word", "hint"),
    [("ticks", "`CONFIG_HZ`", "--const CONFIG_HZ=VALUE"), ("stamped_anyway", "is weak", "only where `if (")],
)
def test_what_must_be_there_is_refused_with_what_to_do(function: str, word: str, hint: str) -> None:
    with pytest.raises(Rejection) as caught:
        translated(function)
    assert caught.value.rule == "extern-symbol"
    assert word in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.at is not None


# --- the tables are the guest's and the analyser's ------------------------------------------------------------------------


def rows(path: str, kind: str) -> set[str]:
    return set(re.findall(rf"\{{{kind}::(\w+), \"", (ROOT / path).read_text()))


def numbers(kind: str) -> dict[str, int]:
    text = (ROOT / "guest/bpf/bundle/abi.hpp").read_text()
    body = text.partition(f"enum class {kind} : std::uint32_t {{")[2].partition("};")[0]
    return {name: int(number) for name, number in re.findall(r"(\w+) = (\d+)", body)}


@pytest.mark.parametrize(("kind", "name"), [("Helper", "bpf_func_id"), ("MapType", "bpf_map_type")])
def test_what_is_said_to_be_offered_is(kind: str, name: str) -> None:
    known, guest = numbers(kind), rows("guest/bpf/bundle/abi.hpp", kind)
    linux = guest | rows("services/verifier/native/program/linux_xdp.hpp", kind)
    assert offers.ENUMS[name] == {
        "guest": frozenset(known[one] for one in guest),
        "linux-xdp": frozenset(known[one] for one in linux),
    }


def test_limits_and_flags_of_maps_are_the_guests() -> None:
    text = (ROOT / "guest/bpf/bundle/abi.hpp").read_text()
    for name, value in (
        ("max_key_bytes", capacity.MAX_KEY_BYTES),
        ("max_value_bytes", capacity.MAX_VALUE_BYTES),
        ("max_entries", capacity.MAX_ENTRIES),
        ("max_map_bytes", capacity.MAX_MAP_BYTES),
    ):
        found = re.search(rf"{name} = (\d+)(?: << (\d+))?;", text)
        assert found is not None
        assert int(found[1]) << int(found[2] or 0) == value, name
    flags = {name: 1 << int(bit) for name, bit in re.findall(r"(map_flag_\w+) = 1U << (\d+)", text)} | {"0": 0}
    for name, words in re.findall(r"\{MapType::(\w+), \"\w+\", \S+, \S+, \w+, ([^,]+),", text):
        allowed = sum(flags[word] for word in words.split(" | "))
        assert offers.MAP_FLAGS["guest"][numbers("MapType")[name]] == allowed, name
