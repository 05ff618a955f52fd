"""frontend/needs.py: what linked code declares about itself, on hand-written instructions."""

import struct

import pytest

from services.verifier.errors import Unsupported
from services.verifier.frontend import needs
from services.verifier.frontend.linker import Function, Linked, Placed
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap

R0, R1, R2, R6, R10 = 0, 1, 2, 6, 10


def insn(opcode: int, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, src << 4 | dst, offset, imm)


EXIT = insn(0x95)
TAIL_CALL = insn(0x85, imm=12)


def mov(dst: int, imm: int) -> bytes:
    return insn(0xB7, dst, imm=imm)


def copy(dst: int, src: int) -> bytes:
    return insn(0xBF, dst, src)


def add(dst: int, imm: int) -> bytes:
    return insn(0x07, dst, imm=imm)


def store(offset: int) -> bytes:
    return insn(0x7B, R10, R1, offset)


def program(
    *bodies: bytes,
    calls: dict[int, list[int]] | None = None,
    maps: tuple[BundleMap, ...] = (),
    targets: tuple[int, ...] = (),
) -> Linked:
    """Functions one after the other; `calls` says who calls whom, `targets` what tail calls go on in."""
    functions, at = [], 0
    for number, body in enumerate(bodies):
        functions.append(Function(f"f{number}", 1, at, len(body)))
        at += len(body)
    placed = tuple(
        Placed(function, function.start // 8, tuple(functions[callee] for callee in (calls or {}).get(number, [])))
        for number, function in enumerate(functions)
    )
    return Linked(b"".join(bodies), maps, placed, tuple(functions[target] for target in targets))


class TestStack:
    @pytest.mark.parametrize(
        ("body", "bytes_needed"),
        [
            pytest.param(EXIT, 0, id="no frame"),
            pytest.param(store(-8) + EXIT, 8, id="a store"),
            pytest.param(store(-20) + EXIT, 24, id="rounded up to 8"),
            pytest.param(insn(0x79, R1, R10, -40) + EXIT, 40, id="a load"),
            pytest.param(copy(R2, R10) + add(R2, -16) + EXIT, 16, id="a pointer"),
            pytest.param(copy(R2, R10) + mov(R1, 5) + add(R2, -16) + EXIT, 16, id="a pointer that is moved later"),
            pytest.param(copy(R2, R10) + copy(R1, R2) + add(R2, -16) + EXIT, 512, id="a pointer that is copied first"),
            pytest.param(copy(R2, R10) + EXIT, 512, id="a pointer that is never moved"),
            pytest.param(insn(0x18, R1, imm=-1) + insn(0, imm=-1) + store(-8) + EXIT, 8, id="after a 64-bit load"),
        ],
    )
    def test_a_frame_reaches_as_far_as_its_deepest_access(self, body: bytes, bytes_needed: int) -> None:
        assert needs.stack(program(body)) == bytes_needed

    def test_the_deepest_chain_counts_and_not_the_sum_of_all(self) -> None:
        frames = [store(-8) + EXIT, store(-100) + EXIT, store(-48) + EXIT, store(-64) + EXIT]
        assert needs.stack(program(*frames, calls={0: [1, 2], 2: [3]})) == 8 + 48 + 64

    def test_the_target_of_a_tail_call_takes_the_callers_frame(self) -> None:
        frames = [store(-8) + TAIL_CALL + EXIT, store(-100) + EXIT, store(-48) + EXIT]
        assert needs.stack(program(*frames, calls={1: [2]}, targets=(1,))) == 104 + 48

    def test_a_program_may_go_on_in_itself(self) -> None:
        assert needs.stack(program(store(-8) + TAIL_CALL + EXIT, targets=(0,))) == 8

    def test_a_tail_call_of_a_subprogram_keeps_its_callers_frames(self) -> None:
        frames = [store(-8) + EXIT, store(-16) + TAIL_CALL + EXIT, store(-64) + EXIT]
        assert needs.stack(program(*frames, calls={0: [1]}, targets=(2,))) == 8 + 64

    def test_a_tail_call_that_could_nest_is_refused(self) -> None:
        frames = [store(-8) + EXIT, TAIL_CALL + EXIT]
        with pytest.raises(Unsupported, match="`f1` is called by programs") as caught:
            needs.stack(program(*frames, calls={0: [1]}, targets=(0,)))
        assert caught.value.rule == "stack-depth"

    def test_a_frame_above_the_limit_is_refused_by_its_function(self) -> None:
        with pytest.raises(Unsupported, match="`f0` needs too much stack: got 520 bytes") as caught:
            needs.stack(program(store(-520) + EXIT))
        assert caught.value.rule == "stack-frame"

    @pytest.mark.parametrize(("functions", "allowed"), [(8, True), (9, False)])
    def test_eight_frames_are_allowed_and_nine_are_not(self, functions: int, allowed: bool) -> None:
        chain = program(*[EXIT] * functions, calls={n: [n + 1] for n in range(functions - 1)})
        if allowed:
            assert needs.stack(chain) == 0
        else:
            with pytest.raises(Unsupported, match="got 9 frames"):
                needs.stack(chain)


class TestOutputs:
    def test_a_filters_codes_are_counted_as_ports(self) -> None:
        assert needs.outputs("filter", program(mov(R0, 2) + EXIT), (), None) == 1
        assert needs.outputs("filter", program(mov(R0, 1) + EXIT), (), None) == 2
        assert needs.outputs("rewriter", program(mov(R6, 3) + copy(R0, R6) + EXIT), (), None) == 3

    def test_a_classifiers_constants_are_its_ports(self) -> None:
        assert needs.outputs("classifier", program(mov(R0, 5) + mov(R1, 200) + EXIT), (), None) == 6
        assert needs.outputs("classifier", program(mov(R0, -1) + EXIT), (), None) == 1

    def test_what_the_section_says_goes_first(self) -> None:
        assert needs.outputs("classifier", program(mov(R0, 5) + EXIT), (), 3) == 3

    def test_a_redirect_may_reach_every_port_of_its_map_or_any_port_at_all(self) -> None:
        devmap = BundleMap(name="ports", type=MapType.DEVMAP, key_size=4, value_size=4, max_entries=12)
        assert needs.outputs("filter", program(EXIT, maps=(devmap,)), (51,), None) == 12
        assert needs.outputs("filter", program(EXIT), (23,), None) == 256


def test_helpers_are_listed_once_and_local_calls_are_none() -> None:
    code = insn(0x85, imm=6) + insn(0x85, imm=1) + insn(0x85, imm=6) + insn(0x85, src=1, imm=9) + EXIT
    assert needs.helpers(code) == (1, 6)
