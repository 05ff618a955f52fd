"""The front end on objects that somebody has tampered with: an Answer every time, never another exception, never slow."""

import struct
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from services.verifier.errors import Rejection
from services.verifier.frontend import frontend
from services.verifier.frontend.debug import btf
from services.verifier.frontend.frontend import Options
from tests.fuzz.fuzz_frontend import corpus, one
from tests.support.programs.bad_objects import Object
from tests.support.programs.programs import compiled
from unibpf.formats import bundle


def test_a_thousand_tampered_objects_all_get_an_answer() -> None:
    seeds = corpus()
    ends = {one(seed, seeds) for seed in range(1000)}
    assert {"translated", "elf-truncated", "btf-malformed"} <= ends


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_code_is_never_read_past_its_function(data: st.DataObject) -> None:
    """Random instructions in a real object: what comes out is a bundle that its own decoder takes, or a refusal."""
    good = Object(compiled("subprograms"))
    start = good.start("xdp")
    for _ in range(data.draw(st.integers(1, 6))):
        at = start + 8 * data.draw(st.integers(0, 20))
        opcode = data.draw(st.sampled_from([0x18, 0x85, 0x95, 0xBF, 0x07, 0x7B, 0x05]))
        struct.pack_into(
            "<BBhi", good.data, at, opcode, data.draw(st.integers(0, 255)), 0, data.draw(st.integers(-9, 99))
        )
    answer = frontend.answer(bytes(good.data), Options())
    if answer.translation is not None:
        found = bundle.decode(answer.translation.bundle)
        assert len(found.code) % 8 == 0


@given(st.binary(max_size=400))
def test_random_type_information_is_read_or_refused(data: bytes) -> None:
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(data) // 2, len(data) // 2, len(data) - len(data) // 2)
    try:
        table = btf.read(memoryview(header + data))
        for number in range(len(table.types)):
            table.size_of(number)
    except Rejection as error:
        assert error.rule == "btf-malformed"


def test_an_object_full_of_sections_that_overlap_is_read_at_once() -> None:
    """4096 section headers that all claim the same 8 MiB."""
    good = compiled("pass")
    body = good + bytes(8 << 20)
    header = struct.pack("<IIQQQQIIQQ", 0, 1, 2, 0, 0, len(body), 0, 0, 1, 0)
    table = header * 4096
    data = bytearray(body + table)
    struct.pack_into("<Q", data, 40, len(body))
    struct.pack_into("<H", data, 60, 4096)
    started = time.perf_counter()
    assert frontend.answer(bytes(data), Options()).finding is not None
    assert time.perf_counter() - started < 2
