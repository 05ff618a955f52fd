"""Releases that the guest refuses, each by its rule, while it goes on running what it ran.

They are sent past all services, as an attacker on the management network would send them.
"""

import pytest

from tests.support.guests.live_guest import DROP, V1, V2, LiveGuest, counting_filter
from tests.support.signing.signing import Signer, signed_bundle
from unibpf.formats import envelope
from unibpf.formats.envelope import Release


def spoiled(signed: bytes, at: int) -> bytes:
    return signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]


def bad_messages(signer: Signer) -> dict[str, tuple[str, bytes]]:
    """Each bad signed bundle by its defect, with the rule that must refuse it."""
    good = signer.release(V2, sequence=11)
    stranger = Signer()
    undecodable = V2.replace(b"\x95" + bytes(7), b"\x96" + bytes(7))
    other_helper = V2.replace(b"\x85\x00\x00\x00\x01", b"\x85\x00\x00\x00\xfa").replace(
        b"\x81\x01\x06", b"\x81\x18\xfa\x06"
    )
    wide = counting_filter(DROP, value_size=16)
    return {
        "tampered signature": ("signature", signed_bundle(spoiled(good, len(good) - 1), V2)),
        "tampered payload": ("signature", signed_bundle(spoiled(good, 40), V2)),
        "another signer": ("key", signed_bundle(stranger.release(V2, sequence=11), V2)),
        "not an envelope": ("shape", signed_bundle(b"\x80", V2)),
        "not CBOR": ("shape", b"\xff" * 100),
        "nested too deep": ("shape", b"\x81" * 1000),
        "bytes past the end": ("shape", signed_bundle(good, V2) + b"\x00"),
        "replayed": ("sequence", signer.update(V2, sequence=9)),
        "another release of the active number": ("sequence", signer.update(V2, sequence=10)),
        "another audience": ("audience", signer.update(V2, sequence=11, audience="core")),
        "another element": ("element", signer.update(V2, sequence=11, element="nat")),
        "another kind": ("kind", signer.update(V2, sequence=11, kind="rewriter")),
        "a graph": ("kind", signer.update(V2, sequence=11, kind="graph")),
        "another program": ("program", signer.update(V2, sequence=11, program="nat")),
        "expired": ("not-after", signer.update(V2, sequence=11, not_after=1)),
        "without its precursor": ("precursor", signer.update(V2, sequence=11, precursor=bytes(32))),
        "another bundle": ("bundle-digest", signed_bundle(good, spoiled(V2, 100))),
        "a shorter bundle": ("bundle-length", signed_bundle(good, V2[:-1])),
        "an unknown instruction": ("instruction", signer.update(undecodable, sequence=11)),
        "an unknown helper": ("helper", signer.update(other_helper, sequence=11)),
        "a map whose layout changed": ("map-policy", signer.update(wide, sequence=11)),
    }


DEFECTS = sorted(bad_messages(Signer()))


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("path", ["staged", "program"])
def test_a_bad_release_is_refused_by_its_rule_and_changes_nothing(
    lasting: LiveGuest, signer: Signer, defect: str, path: str
) -> None:
    rule, message = bad_messages(signer)[defect]
    before = lasting.channel.element("fw")
    answer = lasting.channel.request("PUT", f"/elements/fw/{path}", message, mac=path == "program")
    assert answer.rule == rule
    assert answer.code >> 5 in (4, 5)
    assert answer.authenticated == (path == "program")
    after = lasting.channel.element("fw")
    assert [after.get(key) for key in (2, 3, 4, 5, 6, 10, 11, 12)] == [
        before.get(key) for key in (2, 3, 4, 5, 6, 10, 11, 12)
    ]
    assert lasting.passes()


def test_an_envelope_changed_in_any_single_byte_is_refused(lasting: LiveGuest, signer: Signer) -> None:
    signed = signer.release(V1, sequence=11)
    for at in range(len(signed)):
        answer = lasting.channel.request(
            "PUT", "/elements/fw/staged", signed_bundle(spoiled(signed, at), V1), mac=False
        )
        assert answer.code >> 5 == 4, at
    assert lasting.passes()
    assert 10 not in lasting.channel.element("fw")


def test_elements_that_do_not_exist_or_run_no_program_are_refused(lasting: LiveGuest, signer: Signer) -> None:
    message = signer.update(V2, sequence=11)
    for name in ("fw2", "control"):
        answer = lasting.channel.request("PUT", f"/elements/{name}/staged", message, mac=False)
        assert (answer.name, answer.rule) == ("4.04", "element")
    assert lasting.channel.request("POST", "/elements/fw2/rollback").rule == "element"


def test_releases_are_what_the_host_says_they_are(signer: Signer) -> None:
    """The bad messages above are bad by one defect only: the release they start from is the host's own."""
    parsed = envelope.parse(signer.release(V2, sequence=11))
    assert isinstance(parsed.release, Release)
    assert parsed.release.sequence == 11
