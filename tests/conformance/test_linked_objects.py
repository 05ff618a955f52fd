"""Real objects through the front end, then run: calls, maps and global data are linked right if the verdicts are right.

The Linux kernel and the guest's interpreter run the same bundle; both have to give the verdict that the C source says, and
the analyser has to accept what the kernel accepts.
"""

import json
import subprocess
from pathlib import Path

import pytest

from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Options
from tests.support.kernel import kernel_oracle
from tests.support.programs.bundles import Runner
from tests.support.programs.programs import compiled
from unibpf.formats import bundle

ABORTED, DROP, PASS, TX = range(4)
IPV4_PACKET = bytes(12) + b"\x08\x00" + bytes(50)

# program: the verdicts on an IPv4 packet of 64 bytes, first and second time (global data lives on)
EXPECTED = {
    "pass": (PASS, PASS),
    "drop": (DROP, DROP),
    "parse": (TX, TX),
    "globals": (DROP, DROP),
    "subprograms": (PASS, PASS),
    "loops": (PASS, PASS),
    "maps": (ABORTED, ABORTED),
    "rewriter": (TX, TX),
    "classifier": (1, 1),
}


def linked(name: str) -> bytes:
    return frontend.translate(compiled(name), Options()).bundle


@pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")
@pytest.mark.parametrize("name", EXPECTED)
def test_the_kernel_loads_and_runs_what_the_front_end_linked(name: str) -> None:
    with kernel_oracle.Oracle(bundle=bundle.decode(linked(name))) as kernel:
        assert tuple(kernel.run(IPV4_PACKET).code for _ in range(2)) == EXPECTED[name]


@pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")
def test_global_data_starts_as_the_object_says_and_is_written() -> None:
    found = bundle.decode(linked("globals"))
    with kernel_oracle.Oracle(bundle=found) as kernel:
        kernel.run(IPV4_PACKET)
        assert kernel.entries(".bss") == {"00000000": (0x11223344 + 0x5566).to_bytes(8, "little").hex()}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_analyser_accepts_it(name: str, bin_directory: Path) -> None:
    done = subprocess.run([bin_directory / "unibpf-analyse"], input=linked(name), capture_output=True, check=True)
    report = json.loads(done.stdout)
    assert (report["verdict"], report["findings"]) == ("safe", [])


@pytest.mark.parametrize("name", EXPECTED)
def test_the_guest_runs_it_alike(name: str, bin_directory: Path, tmp_path: Path) -> None:
    runner = Runner(executable=bin_directory / "unibpf-run", directory=tmp_path)
    reports = runner.run(linked(name), [IPV4_PACKET, IPV4_PACKET])
    assert [report["trap"] for report in reports] == [None, None]
    assert tuple(report["verdict_code"] for report in reports) == EXPECTED[name]
