"""The proofs that take seconds, and that a fault is found. The others are `make prove` (see docs/soundness.md)."""

from pathlib import Path
from typing import Final

import pytest

from tests.proofs import ir, prover
from tests.proofs.machine import UnknownCodeError
from tests.proofs.obligations import obligations

BY_NAME: Final = {one.name: one for one in obligations()}
QUICK: Final = (
    "unsigned_range_of",
    "signed_range_of",
    "meet_of",
    "constant_of",
    "contains_of",
    "add_64",
    "and_64",
    "mov_64",
)
# What is put into the domain's source, and the operation that it spoils.
FAULTS: Final = {
    "add_64": ("__builtin_add_overflow(a.high, b.high, &sum.high)", "__builtin_add_overflow(a.high, b.low, &sum.high)"),
    "and_64": ("x.u64 = {0, std::min(a.u64.high, b.u64.high)};", "x.u64 = {0, std::min(a.u64.low, b.u64.high)};"),
}


@pytest.mark.parametrize("name", QUICK)
def test_it_is_sound_for_all_words(name: str) -> None:
    outcome = prover.prove(BY_NAME[name], seconds=60)
    assert outcome.proved, outcome


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, tmp_path: Path) -> None:
    old, new = FAULTS[name]
    source = next(path for path in prover.DOMAIN if path.stem == "scalar_arithmetic")
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
    assert compiled == set(BY_NAME)


def test_code_that_is_not_known_is_refused() -> None:
    module = ir.read("define void @f(ptr %0) {\n  fence seq_cst\n  ret void\n}\n")
    machine = prover.Machine([module], {})
    memory = prover.Memory()
    place = machine.add_object(memory, machine.fresh(8))
    with pytest.raises(UnknownCodeError, match="fence"):
        machine.call("f", [place], memory)
