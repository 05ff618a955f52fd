"""Mutants of real programs: what the checking interpreter shows to be unsafe on boundary packets is refused.

Of the mutants only those need to be run that the analyser accepts, and those without one of their checks, to know that this
test sees unsafe programs at all.
"""

import json
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.verifier.frontend import frontend
from tests.lab import corpus
from tests.support.programs.bundles import Runner
from tests.support.programs.mutants import mutants
from tests.support.programs.packets import boundary_packets
from unibpf.formats.bundle import Bundle, decode, encode

# Programs, with how many of their checks trap on some packet when they are dropped: fewer means that the packets got worse.
PROGRAMS = {
    "vnfs/firewall/program.c:firewall": 2,
    "vnfs/firewall/program_v2.c:firewall": 2,
    "vnfs/ratelimit/program.c:ratelimit": 1,
    "tests/data/programs/loops.c:loops": 1,
    "tests/data/programs/maps.c:maps": 1,
    "tests/data/programs/parse.c:parse": 1,
    "tests/data/programs/rewriter.c:rewriter": 1,
    "tests/conformance/xdp/atomics.c:atomics": 1,
    "tests/conformance/xdp/bytes.c:bytes": 2,
    "tests/conformance/xdp/nat.c:nat": 1,
    "tests/conformance/xdp/ports.c:ports": 2,
    "tests/conformance/xdp/resize.c:resize": 2,
    "tests/data/operators/bpf_loop_packet.c:bpf_loop_packet": 1,
    "tests/data/operators/for_each_gc.c:for_each_gc": 0,
    "tests/data/operators/ring_events.c:ring_events": 1,
    "tests/data/operators/ring_events_late.c:ring_events_late": 1,
    "tests/data/operators/strncmp_http.c:strncmp_http": 1,
    "tests/data/operators/tenants.c:tenants_main": 1,
    "tests/data/operators/token_bucket.c:token_bucket": 1,
}


PACKETS = boundary_packets()


@pytest.fixture(scope="module")
def bundles() -> dict[str, Bundle]:
    chosen = [sample for sample in (*corpus.own(), *corpus.operators()) if sample.name in PROGRAMS]
    options = {sample.name: frontend.Options(section=sample.section, function=sample.function) for sample in chosen}
    return {one.name: decode(frontend.translate(one.data, options[one.name]).bundle) for one in chosen}


def is_safe(bin_directory: Path, bundle: bytes) -> bool:
    done = subprocess.run([bin_directory / "unibpf-analyse"], input=bundle, capture_output=True, check=True)
    verdict: str = json.loads(done.stdout)["verdict"]
    return verdict == "safe"


def traps(runner: Runner, bundle: bytes) -> str:
    """The first trap, as text; empty if every packet ran to its exit."""
    for packet, report in zip(PACKETS, runner.run(bundle, PACKETS), strict=True):
        if report["trap"] is not None:
            return f"{report['trap']} on {packet.hex()}"
    return ""


@pytest.mark.parametrize("name", PROGRAMS)
def test_mutant_that_traps_is_refused(
    name: str, bundles: dict[str, Bundle], bin_directory: Path, tmp_path: Path
) -> None:
    runner = Runner(executable=bin_directory / "unibpf-run", directory=tmp_path)
    program = bundles[name]
    assert is_safe(bin_directory, encode(program))
    assert traps(runner, encode(program)) == ""
    dropped = 0
    for mutant in mutants(program.code):
        bundle = encode(replace(program, code=mutant.code))
        safe = is_safe(bin_directory, bundle)
        if not safe and mutant.change != "drop":
            continue
        trap = traps(runner, bundle)
        assert not (safe and trap), f"{mutant.name}: {trap}"
        dropped += mutant.change == "drop" and bool(trap)
    assert dropped >= PROGRAMS[name]
