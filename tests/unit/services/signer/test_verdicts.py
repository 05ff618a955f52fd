"""services.signer.verdicts: what a verdict must show before it is believed."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from services.signer import verdicts
from services.signer.errors import EvidenceError
from tests.support.services.pushes import OPTIONS_DIGEST, pass_bundle
from unibpf.host import identity
from unibpf.messages.programs import Verdict
from unibpf.messages.reports import Report, SecondOpinion, verdict_digest

BUNDLE = pass_bundle("firewall")
DIGEST = hashlib.sha256(BUNDLE).hexdigest()
REPORT = Report(
    verdict="safe",
    program="firewall",
    kind="filter",
    bundle=DIGEST,
    certificate=DIGEST,
    version="1",
    options_digest=OPTIONS_DIGEST,
)
VERDICT = Verdict(
    push_id="UNIBPF_UPLOADS:1",
    identity="ci",
    program="firewall",
    audience="edge",
    verdict="safe",
    object=DIGEST,
    report=DIGEST,
    verdict_digest=verdict_digest(REPORT),
    verifier="unibpf",
    version="1",
    options_digest=OPTIONS_DIGEST,
    bundle=DIGEST,
    certificate=DIGEST,
    bundle_length=len(BUNDLE),
    kind="filter",
)


def believe(tmp_path: Path, verdict: Verdict, signer: str = "verifier") -> Verdict:
    payload = msgspec.json.encode(verdict)
    signature = identity.create(tmp_path, signer).sign(payload)
    return verdicts.believe(payload, signature, identity.create(tmp_path, "verifier").public_key)


def refused(rule: str, call, *arguments: object) -> None:
    with pytest.raises(EvidenceError) as caught:
        call(*arguments)
    assert caught.value.rule == rule


def test_a_verdict_by_the_pinned_verifier_is_believed(tmp_path: Path) -> None:
    assert believe(tmp_path, VERDICT) == VERDICT


def test_a_verdict_by_anybody_else_or_by_nobody_is_not(tmp_path: Path) -> None:
    refused("verdict-signature", believe, tmp_path, VERDICT, "mallory")
    payload = msgspec.json.encode(VERDICT)
    refused("verdict-signature", verdicts.believe, payload, b"", identity.create(tmp_path, "verifier").public_key)


@pytest.mark.parametrize("kind", ["unsafe", "unsupported", "gave_up"])
def test_a_signed_verdict_that_is_not_safe_is_refused(tmp_path: Path, kind: str) -> None:
    refused("verdict-safe", believe, tmp_path, replace(VERDICT, verdict=kind))


@pytest.mark.parametrize("change", [{"bundle": None}, {"kind": None}, {"bundle_length": 0}])
def test_a_safe_verdict_without_its_bundle_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    refused("verdict-payload", believe, tmp_path, replace(VERDICT, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "unsafe"},
        {"program": "other"},
        {"kind": "rewriter"},
        {"bundle": "f" * 64},
        {"certificate": "f" * 64},
        {"certificate": None},
        {"verifier": "prevail"},
        {"version": "2"},
        {"options_digest": "f" * 64},
        {"stack_bytes": 8},
        {"also": [SecondOpinion(verifier="prevail", accepts=True, agrees=True)]},
    ],
)
def test_a_report_that_differs_in_anything_but_its_timing_is_refused(change: dict[str, object]) -> None:
    verdicts.check_report(VERDICT, msgspec.json.encode(replace(REPORT, timing={"ms": 3.0})))
    refused("report", verdicts.check_report, VERDICT, msgspec.json.encode(replace(REPORT, **change)))


def test_a_report_that_is_none_is_refused() -> None:
    refused("report", verdicts.check_report, VERDICT, b"[]")


def test_a_bundle_of_another_length_name_or_form_is_refused() -> None:
    assert verdicts.check_bundle(VERDICT, BUNDLE).name == "firewall"
    refused("bundle-length", verdicts.check_bundle, VERDICT, BUNDLE + b"\x00")
    refused("bundle", verdicts.check_bundle, replace(VERDICT, program="other"), BUNDLE)
    refused("bundle", verdicts.check_bundle, VERDICT, b"\xa0" * len(BUNDLE))
