"""Whatever the program and whatever the limits, the analyser ends within them, by itself, with a verdict."""

import json
import resource
import subprocess
from functools import cache
from typing import Any

import pytest

from tests.support.programs.adversarial import SHAPES, calls_that_explode, jumps_over, nested_loops, straight_line
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from unibpf.host.settings import binary_directory

BINARIES = binary_directory({})
SECONDS = 2
PATIENCE = 30  # of the wall clock: a machine with other work
MEBIBYTE = 1 << 20


@cache
def assembler() -> Assembler:
    return Assembler(BINARIES / "unibpf-run")


@cache
def bundle(shape: str) -> bytes:
    return bundle_of(assembler().assemble(SHAPES[shape].code())[0])


def analyse(data: bytes, *options: str, address_space: int | None = None) -> dict[str, Any]:
    def confine() -> None:
        if address_space is not None:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))

    command = [BINARIES / "unibpf-analyse", *options]
    done = subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE, check=True, preexec_fn=confine)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hostile_shape_gets_a_verdict_in_time(shape: str) -> None:
    found = analyse(bundle(shape), "--max-seconds", str(SECONDS), "--max-mebibytes", "128")
    assert found["verdict"] in SHAPES[shape].verdicts, found["findings"]
    assert found["cpu_ms"] < 1000 * (SECONDS + 1)
    assert found["peak_kib"] < 128 * 1024


@pytest.mark.parametrize("mebibytes", ["0.001", "1", "2", "4"])
@pytest.mark.parametrize("shape", ["straight line", "one target with much known", "joins with many symbols"])
def test_a_memory_limit_of_any_size_is_gave_up_and_no_crash(shape: str, mebibytes: str) -> None:
    found = analyse(bundle(shape), "--max-mebibytes", mebibytes)
    if (found["verdict"], mebibytes) != ("safe", "4"):
        assert (found["verdict"], [row["rule"] for row in found["findings"]]) == ("gave_up", ["limits"])
        assert "memory" in found["findings"][0]["message"]
        assert found["peak_kib"] < 16 * 1024


def test_a_small_program_needs_less_than_the_smallest_limit() -> None:
    code = assembler().assemble("mov64 r0, 2\nexit")[0]
    assert analyse(bundle_of(code), "--max-mebibytes", "1")["verdict"] == "safe"


def test_a_process_that_is_confined_already_stays_so() -> None:
    assert analyse(bundle("straight line"), address_space=48 * MEBIBYTE)["verdict"] == "safe"
    starved = analyse(bundle("jumps over"), address_space=12 * MEBIBYTE)
    assert (starved["verdict"], starved["findings"][0]["rule"]) == ("gave_up", "limits")


def test_a_time_limit_is_gave_up() -> None:
    found = analyse(bundle("one target with much known"), "--max-seconds", "0.001")
    assert (found["verdict"], found["findings"][0]["rule"]) == ("gave_up", "limits")
    assert "longer than its limit" in found["findings"][0]["message"]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(nested_loops(depth=63, rounds=2), id="as many loops as may nest"),
        pytest.param(nested_loops(depth=64, rounds=2), id="one more"),
        pytest.param(calls_that_explode(width=1), id="calls as deep as they may be"),
        pytest.param(calls_that_explode(width=1, depth=8), id="one deeper"),
        pytest.param(calls_that_explode(width=255, depth=2), id="wide"),
        pytest.param("loop:\nja loop", id="a loop without an exit"),
        pytest.param("mov64 r0, 0\nja over\nback:\nja back\nover:\nexit", id="a loop that nobody enters"),
    ],
)
def test_extremes_of_nesting_end(code: str) -> None:
    found = analyse(
        bundle_of(assembler().assemble(code)[0]), "--max-seconds", "1", "--invariants", "on", "--cfg", "dot"
    )
    assert found["verdict"] in {"safe", "unsafe", "gave_up"}


def test_loops_that_nest_without_end_are_given_up() -> None:
    depth = 2000
    heads = "".join(f"loop{at}:\n" + "add64 r0, 1\n" for at in range(depth))
    tails = "".join(f"jlt64 r0, {at}, loop{at}\n" for at in reversed(range(depth)))
    code, _ = assembler().assemble("mov64 r0, 0\n" + heads + tails + "exit")
    assert analyse(bundle_of(code))["verdict"] == "gave_up"


def test_straight_line_cost_is_linear() -> None:
    """Ten times the program may cost little more than ten times the time; quadratic would be a hundred times."""

    def cost(code: str) -> float:
        data = bundle_of(assembler().assemble(code)[0])
        return min(float(analyse(data)["cpu_ms"]) for _ in range(5))

    for shape in (straight_line, jumps_over):
        assert cost(shape(100_000)) < 25 * cost(shape(10_000))


def test_what_is_shown_on_demand_is_bounded_too() -> None:
    """The verifier takes no answer above 8 MiB (`analysis.MAX_OUTPUT`)."""
    found = analyse(bundle("jumps over"), "--invariants", "on", "--cfg", "dot")
    assert found["verdict"] == "safe"
    assert found["invariants_cut"] is True
    assert len(json.dumps(found)) < 8 * MEBIBYTE
    assert "more blocks" in found["graph"]
