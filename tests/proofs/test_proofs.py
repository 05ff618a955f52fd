"""The proofs that take seconds, and that a fault is found. The others are `make prove` (see docs/soundness.md)."""

from pathlib import Path
from typing import Final

import pytest

from tests.proofs import ir, prover
from tests.proofs.machine import UnknownCodeError
from tests.proofs.obligations import obligations

BY_NAME: Final = {one.name: one for one in obligations()}
QUICK: Final = (
    "share 64 bits",
    "share 32 bits",
    "share halves",
    "bits of a range",
    "share bits",
    "join_of",
    "unsigned_range_of",
    "signed_range_of",
    "meet_of",
    "widen_of",
    "arsh by each constant",
    "constant_of",
    "contains_of",
    "and_64",
    "mov_64",
)
# What is put into the domain's source, and the operation that it spoils.
FAULTS: Final = {
    "share 64 bits": ("scalar", "if (low <= high) s = intersect", "s = intersect"),
    "share halves": ("scalar", "if (x.fits_s32()) {", "if (x.s64.high <= INT32_MAX) {"),
    "share bits": ("scalar", "Tnum{low.value, low.mask | ~low_half}", "Tnum{low.value, low.mask}"),
    "add_64": (
        "scalar_arithmetic",
        "__builtin_add_overflow(a.high, b.high, &sum.high)",
        "__builtin_add_overflow(a.high, b.low, &sum.high)",
    ),
    "rsh by each constant": (
        "scalar_arithmetic",
        "x.u64 = {a.u64.low >> n, a.u64.high >> n};",
        "x.u64 = {a.u64.low >> n, a.u64.low >> n};",
    ),
    "widen_of": ("widening", "joined.u64.high > a.u64.high ? up", "joined.u64.high < a.u64.high ? up"),
    "and_64": (
        "scalar_arithmetic",
        "x.u64 = {0, std::min(a.u64.high, b.u64.high)};",
        "x.u64 = {0, std::min(a.u64.low, b.u64.high)};",
    ),
}


@pytest.mark.parametrize("name", QUICK)
def test_it_is_sound_for_all_words(name: str) -> None:
    outcome = prover.prove(BY_NAME[name], seconds=60)
    assert outcome.proved, outcome


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, tmp_path: Path) -> None:
    file, old, new = FAULTS[name]
    source = next(path for path in prover.DOMAIN if path.stem == file)
    text = source.read_text()
    assert text.count(old) == 1
    (tmp_path / source.name).write_text(text.replace(old, new))
    others = tuple(path for path in prover.DOMAIN if path != source)
    code = prover.modules((prover.OPERATIONS, *others, tmp_path / source.name))
    outcome = prover.prove(BY_NAME[name], seconds=60, code=code)
    assert outcome.proved is False
    assert "a = " in outcome.counterexample


def test_each_operation_has_an_obligation() -> None:
    compiled = {name for name in prover.modules()[0] if "_" in name}
    assert compiled == {one.name for one in BY_NAME.values() if one.function == one.name}


def test_code_that_is_not_known_is_refused() -> None:
    module = ir.read("define void @f(ptr %0) {\n  fence seq_cst\n  ret void\n}\n")
    machine = prover.Machine([module], {})
    memory = prover.Memory()
    place = machine.add_object(memory, machine.fresh(8))
    with pytest.raises(UnknownCodeError, match="fence"):
        machine.call("f", [place], memory)
