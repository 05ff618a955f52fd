"""What the verifier leaves on the bus for a safe push: objects, and a signed `verified` event."""

from collections.abc import Sequence

import msgspec

from unibpf import subjects
from unibpf.bus import Bus
from unibpf.formats import bundle as bundles
from unibpf.formats.bundle import Bundle
from unibpf.messages.programs import Verdict
from unibpf.messages.reports import Report, SecondOpinion, verdict_digest

OPTIONS_DIGEST = "0" * 64
XDP_PASS = bytes.fromhex("b7000000020000009500000000000000")  # r0 = 2; exit


def pass_bundle(program: str, *, returns: int = 2) -> bytes:
    """A filter that returns a constant: bundles of different constants are different programs."""
    code = XDP_PASS[:4] + returns.to_bytes(4, "little") + XDP_PASS[8:]
    return bundles.encode(Bundle(name=program, kind="filter", code=code, outputs=3))


async def make_verdict(
    bus: Bus, program: str, bundle: bytes, *, push_id: str, opinions: Sequence[SecondOpinion] = (), **changes: object
) -> Verdict:
    """Store bundle and report as the verifier does; `changes` replace fields of the verdict (to forge one)."""
    bundle_digest = await bus.put_object(bundle)
    report = Report(
        verdict="safe",
        program=program,
        kind="filter",
        bundle=bundle_digest,
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
        also=report.also,
    )
    return msgspec.structs.replace(verdict, **changes)


async def announce(bus: Bus, verdict: Verdict) -> str:
    """Publish `verified`, signed by the identity of `bus`."""
    return await bus.publish(subjects.verified(verdict.program), verdict, signed=True)
