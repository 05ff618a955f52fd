"""What the verifier leaves on the bus for a safe push: objects, and a signed `verified` event."""

import os
from collections.abc import Sequence

import msgspec

from tests.support.programs.certificates import Tools
from unibpf import subjects
from unibpf.bus import Bus
from unibpf.formats import bundle as bundles
from unibpf.formats.bundle import Bundle
from unibpf.host.settings import binary_directory
from unibpf.messages.programs import Verdict
from unibpf.messages.reports import Report, SecondOpinion, verdict_digest

OPTIONS_DIGEST = "0" * 64
PUSHED_MS = 1_000_000  # by the clock of signers in tests
XDP_PASS = bytes.fromhex("b7000000020000009500000000000000")  # r0 = 2; exit


def pass_bundle(program: str, *, returns: int = 2) -> bytes:
    """A filter that returns a constant: bundles of different constants are different programs."""
    code = XDP_PASS[:4] + returns.to_bytes(4, "little") + XDP_PASS[8:]
    return bundles.encode(Bundle(name=program, kind="filter", code=code, outputs=3))


def certified(bundle: bytes) -> bytes:
    """The certificate that the analyser writes for a bundle that it finds safe."""
    _, certificate = Tools(folder=binary_directory(os.environ)).analyse(bundle)
    if certificate is None:
        raise AssertionError("the bundle is not safe")
    return certificate


async def make_verdict(
    bus: Bus,
    program: str,
    bundle: bytes,
    *,
    push_id: str,
    opinions: Sequence[SecondOpinion] = (),
    proof: bytes = b"",
    pushed_ms: int = PUSHED_MS,
    **changes: object,
) -> Verdict:
    """Store bundle, certificate and report as the verifier does.

    `proof` stands in place of the analyser's certificate, `changes` replace fields of the verdict: to forge one.
    """
    bundle_digest = await bus.put_object(bundle)
    certificate = await bus.put_object(proof or certified(bundle))
    report = Report(
        verdict="safe",
        program=program,
        kind="filter",
        bundle=bundle_digest,
        certificate=certificate,
        instructions=2,
        version="test",
        options_digest=OPTIONS_DIGEST,
        timing={"analysis_ms": 1.5},
        also=list(opinions),
    )
    verdict = Verdict(
        push_id=push_id,
        identity="ci",
        program=program,
        audience="edge",
        verdict="safe",
        object=bundle_digest,
        report=await bus.put_object(msgspec.json.encode(report)),
        verdict_digest=verdict_digest(report),
        verifier=report.verifier,
        version=report.version,
        options_digest=OPTIONS_DIGEST,
        bundle=bundle_digest,
        bundle_length=len(bundle),
        kind="filter",
        certificate=certificate,
        also=report.also,
        pushed_ms=pushed_ms,
    )
    return msgspec.structs.replace(verdict, **changes)


async def announce(bus: Bus, verdict: Verdict) -> str:
    """Publish `verified`, signed by the identity of `bus`."""
    return await bus.publish(subjects.verified(verdict.program), verdict, signed=True)
