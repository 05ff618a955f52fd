"""What the signer believes of a verdict, and why. Pure.

1. The payload is signed by the pinned verifier key: whoever could write to the stream cannot forge a verdict.
2. The verdict is `safe` and complete.
3. The report that the verdict names says the same: verdict, program, kind, bundle, certificate, verifier, options, second
   opinions, verdict digest.
4. The bundle that the verdict names has its length and decodes strictly; its own name and kind are the verdict's.
5. The certificate that the verdict names proves to the checker (checking.py) that the bundle is safe and ends.

The bytes of 3 to 5 were fetched by their digests (the bus checks those), not taken from the message.
"""

from typing import Final

import msgspec

from services.signer.errors import EvidenceError
from unibpf.formats import bundle as bundles
from unibpf.formats.bundle import Bundle, BundleError
from unibpf.host import identity
from unibpf.host.ledger import Row
from unibpf.messages.programs import Verdict
from unibpf.messages.reports import Report, verdict_digest

MAX_AGE_SECONDS: Final = 30 * 86400  # of a push: uploads wait no longer
MAX_SKEW_SECONDS: Final = 300


def believe(payload: bytes, signature: bytes, verifier_key: str) -> Verdict:
    """Steps 1 and 2: the verdict in `payload`."""
    if not signature:
        raise EvidenceError("verdict-signature", "the verdict is not signed")
    if not identity.verify(verifier_key, payload, signature):
        raise EvidenceError("verdict-signature", "the verdict is not signed by the pinned verifier")
    try:
        verdict = msgspec.json.decode(payload, type=Verdict)
    except msgspec.MsgspecError as error:
        raise EvidenceError("verdict-payload", f"the verdict is malformed: {error}") from error
    if verdict.verdict != "safe":
        raise EvidenceError("verdict-safe", f"got the verdict `{verdict.verdict}`, expected `safe`")
    if verdict.bundle is None or verdict.kind is None or verdict.bundle_length < 1:
        raise EvidenceError("verdict-payload", "a safe verdict names bundle, length and kind")
    return verdict


def check_age(verdict: Verdict, *, closed_ms: int, now: int) -> None:
    """A push that this host has not signed: it must be younger than what its ledger forgot, and not from the future."""
    oldest = max(closed_ms, (now - MAX_AGE_SECONDS) * 1000)
    if verdict.pushed_ms <= 0:
        raise EvidenceError("verdict-age", "the verdict does not say when its object was pushed: update the verifier")
    if verdict.pushed_ms < oldest:
        raise EvidenceError(
            "verdict-age", f"pushed at {verdict.pushed_ms}, expected not before {oldest}: push it again"
        )
    if verdict.pushed_ms > (now + MAX_SKEW_SECONDS) * 1000:
        raise EvidenceError("verdict-age", f"pushed at {verdict.pushed_ms}, which is in the future: compare the clocks")


def check_push(verdict: Verdict, row: Row) -> None:
    """A push that this host has signed: it is about the same object, or it is another push under its name."""
    if (verdict.object, verdict.bundle) != (row.object, row.bundle):
        raise EvidenceError("verdict-push", f"push `{verdict.push_id}` was signed for another object")


def certificate_of(verdict: Verdict) -> str:
    """The digest of what step 5 asks for."""
    if verdict.certificate is None:
        raise EvidenceError("certificate-missing", "the verifier gives no certificate, which proves its verdict")
    return verdict.certificate


def check_report(verdict: Verdict, data: bytes) -> None:
    """Step 3."""
    try:
        report = msgspec.json.decode(data, type=Report)
    except msgspec.MsgspecError as error:
        raise EvidenceError("report", f"the report is malformed: {error}") from error
    rows: tuple[tuple[str, object, object], ...] = (
        ("verdict", report.verdict, verdict.verdict),
        ("program", report.program, verdict.program),
        ("kind", report.kind, verdict.kind),
        ("bundle", report.bundle, verdict.bundle),
        ("certificate", report.certificate, verdict.certificate),
        ("verifier", report.verifier, verdict.verifier),
        ("version", report.version, verdict.version),
        ("options_digest", report.options_digest, verdict.options_digest),
        ("also", report.also, verdict.also),
        ("verdict_digest", verdict_digest(report), verdict.verdict_digest),
    )
    for field, got, expected in rows:
        if got != expected:
            raise EvidenceError("report", f"the report's `{field}` differs: got `{got}`, expected `{expected}`")


def check_bundle(verdict: Verdict, data: bytes) -> Bundle:
    """Step 4: the bundle, decoded."""
    if len(data) != verdict.bundle_length:
        raise EvidenceError("bundle-length", f"got a bundle of {len(data)} bytes, expected {verdict.bundle_length}")
    try:
        bundle = bundles.decode(data)
    except BundleError as error:
        raise EvidenceError("bundle", f"the bundle is malformed: {error}") from error
    for field, got, expected in (("name", bundle.name, verdict.program), ("kind", bundle.kind, verdict.kind)):
        if got != expected:
            raise EvidenceError("bundle", f"the bundle's `{field}` differs: got `{got}`, expected `{expected}`")
    return bundle
