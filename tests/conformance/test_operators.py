"""Programs of the kind that operators write (`tests/data/operators`) are safe, however the compiler writes them.

Whatever the kernel loads is safe; what it refuses and we accept is named here, as proved and not overlooked. What the compiler
made unprovable the kernel refuses too: such programs stand here with our rule.
"""

import functools
import tempfile
from pathlib import Path

import pytest

from tests.lab import corpus, foreign_sources
from tests.lab.corpus import Platform, Sample
from tests.support.kernel import kernel_loader, kernel_oracle

SOURCES = {path.name: path for path in corpus.operators_files()}
NEIGHBOURS = {path.name: path for path in corpus.unsafe_neighbours()}
VARIANTS = {
    "v1-O2": ("-mcpu=v1",),
    "v3-O2": ("-mcpu=v3",),
    "v4-O2": ("-mcpu=v4",),
    "v4-Os": ("-mcpu=v4", "-Os"),
}
# Longer loops than the kernel can follow.
LONG = ("-mcpu=v3", "-DNAME_BYTES=255", "-DOPTIONS=40")
REFUSED = {
    # the compiler moves the check before the loop, as `(end - p) / 2 > n`
    "sum_counted_down": "packet-bounds",
    "words_in_records": "packet-bounds",
    # ... as the least of two distances
    "two_deep": "packet-bounds",
    # the compiler adds to an aligned address by `or`
    "masked_index": "pointer-arithmetic",
}
# 64-bit shifts hide from us there that a length was cut to 32 bits.
REFUSED_OF_V1 = {"three_deep": "packet-bounds"}
# What a guest has no budget for, by the constants alone: 100 * 60 * 40 rounds.
DEAR = {"three_deep": "instruction-budget"}
# They want helpers and maps that guests do not have.
FOR_LINUX_ONLY = {
    "fib_forward.c": "helper-unknown",
    "syn_cookie.c": "helper-unknown",
    "syn_cookie_sockets.c": "helper-unknown",
    "xsk_steer.c": "map-type",
}
# Whoever loads programs into the kernel may see its addresses; a program of a guest may not show the guest's.
SHOWS_ADDRESSES = {"address_texts.c"}
# Proved here, refused there: why is in test_kernel_agrees.py and docs/corpus.md where the compiler's default shows it.
BEYOND_THE_KERNEL = {
    "arithmetic", "bpf_loop_options", "csum_variable", "from_the_end", "heavy_hitters_by_modulo", "minimum", "tcp_options",
    "timestamp_option", "by_distance", "by_sum", "by_wide_distance", "last_byte_names_the_next", "padded_attributes",
    "port_after_options", "three_deep", "tested_before_the_loop", "left_by_complement",
    "counted_down", "tls_sni_length",  # v1 only: a loop too long, a length that went through 64-bit shifts
}  # fmt: skip


@functools.cache
def compiled(path: Path, flags: tuple[str, ...]) -> list[Sample]:
    with tempfile.TemporaryDirectory() as folder:
        data = foreign_sources.clang(path, Path(folder) / "object", *flags)
    return corpus.operators_programs(path, data)


def refusals(samples: list[Sample], bin_directory: Path, platform: Platform) -> dict[str, str]:
    """{program: rule} of those that are not safe there."""
    verdicts = {one.function: corpus.judge(one, bin_directory / "unibpf-analyse", platform) for one in samples}
    return {name: verdict.rule for name, verdict in verdicts.items() if not verdict.safe}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", SOURCES)
def test_what_operators_write_is_safe(name: str, variant: str, bin_directory: Path) -> None:
    samples = compiled(SOURCES[name], VARIANTS[variant])
    functions = [one.function for one in samples]
    refused = REFUSED | REFUSED_OF_V1 if variant == "v1-O2" else REFUSED
    expected = {function: rule for function, rule in refused.items() if function in functions}
    assert refusals(samples, bin_directory, "linux-xdp") == expected
    dear = {function: rule for function, rule in DEAR.items() if function in functions}
    in_guests = dict.fromkeys(functions, FOR_LINUX_ONLY[name]) if name in FOR_LINUX_ONLY else expected | dear
    assert refusals(samples, bin_directory, "guest") == in_guests


@pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", SOURCES)
def test_the_kernel_loads_it_too_but_for_the_named(name: str, variant: str) -> None:
    loaded = {
        one.function: kernel_loader.load(one.data, one.function) for one in compiled(SOURCES[name], VARIANTS[variant])
    }
    refused = {function: verdict.reason for function, verdict in loaded.items() if not verdict.loads}
    assert {
        function: why for function, why in refused.items() if function not in BEYOND_THE_KERNEL | REFUSED.keys()
    } == {}
    assert refused.keys() >= loaded.keys() & REFUSED.keys(), "what nobody can prove"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", NEIGHBOURS)
def test_one_mistake_is_refused(name: str, variant: str, bin_directory: Path) -> None:
    samples = compiled(NEIGHBOURS[name], VARIANTS[variant])
    functions = {one.function for one in samples}
    assert refusals(samples, bin_directory, "linux-xdp").keys() == functions
    assert refusals(samples, bin_directory, "guest").keys() == functions


@pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")
@pytest.mark.parametrize("name", sorted(NEIGHBOURS.keys() - SHOWS_ADDRESSES))
def test_the_kernel_refuses_one_mistake_too(name: str) -> None:
    samples = compiled(NEIGHBOURS[name], VARIANTS["v3-O2"])
    assert [one.function for one in samples if kernel_loader.load(one.data, one.function).loads] == []


@pytest.mark.parametrize("name", ["headers.c", "payload.c"])
def test_loops_too_long_for_the_kernel_are_safe(name: str, bin_directory: Path) -> None:
    samples = compiled(SOURCES[name], LONG)
    assert refusals(samples, bin_directory, "linux-xdp") == refusals(samples, bin_directory, "guest") == {}
