"""A network function under test, run on packets in the kernel."""

from collections.abc import Iterable

from tests.support.kernel import kernel_oracle
from tests.support.programs.vnf import Outcome
from unibpf.formats.bundle import decode


def in_kernel(bundle: bytes, packets: Iterable[bytes]) -> Outcome:
    """Run in Linux, through BPF_PROG_TEST_RUN."""
    decoded = decode(bundle)
    with kernel_oracle.Oracle(bundle=decoded) as kernel:
        codes = [kernel.run(packet).code for packet in packets]
        return Outcome(codes, {spec.name: kernel.entries(spec.name) for spec in decoded.maps})
