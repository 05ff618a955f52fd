"""unibpf.client.genuine: what is told of a release against what is signed."""

import hashlib

import pytest
from msgspec.structs import replace

from tests.support.signing.signing import Signer, release_of
from unibpf.client.genuine import difference
from unibpf.messages.programs import Signed

BUNDLE = b"bundle"
ENVELOPE = Signer().sign(release_of(BUNDLE, program="firewall", sequence=9, audience="edge", not_after=77))
TOLD = Signed(
    push_id="UNIBPF_UPLOADS:1", program="firewall", audience="edge", kind="filter", element="*", sequence=9,
    envelope=hashlib.sha256(ENVELOPE).hexdigest(), bundle=hashlib.sha256(BUNDLE).hexdigest(), policy="p", identity="ci",
    not_after=77,
)  # fmt: skip


def test_a_release_that_is_told_as_it_is_signed_is_believed() -> None:
    assert difference(TOLD, ENVELOPE) is None


@pytest.mark.parametrize(
    ("field", "lie"),
    [
        ("sequence", 10), ("sequence", 1 << 62), ("sequence", 8), ("audience", "core"), ("program", "nat"),
        ("kind", "rewriter"), ("element", "fw"), ("not_after", None), ("not_after", 78),
    ],
)  # fmt: skip
def test_every_field_that_is_told_otherwise_is_named(field: str, lie: object) -> None:
    assert (difference(replace(TOLD, **{field: lie}), ENVELOPE) or "").startswith(f"it is told with {field} `{lie}`")


@pytest.mark.parametrize("envelope", [b"", b"\xff" * 40, ENVELOPE[:-1], ENVELOPE + b"\0"])
def test_what_is_no_envelope_is_said_to_be_none(envelope: bytes) -> None:
    assert "malformed" in (difference(TOLD, envelope) or "")
