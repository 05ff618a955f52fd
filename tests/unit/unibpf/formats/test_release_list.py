"""unibpf.formats.release_list: what a host without a floor believes is current."""

import pytest
from msgspec.structs import replace

from tests.support.signing.signing import Signer, release_of
from unibpf.formats import envelope, release_list
from unibpf.formats.envelope import EnvelopeError
from unibpf.formats.release_list import Current, ReleaseList, verify

SIGNER = Signer()
FW = Current(program="fw", element="*", sequence=9, envelope=bytes(32))
LIST = ReleaseList(audience="edge", version=7, time=1_700_000_000, releases=(FW, replace(FW, element="fw2")))


def signed(wanted: ReleaseList = LIST) -> bytes:
    return SIGNER.release_list(wanted)


def test_what_was_signed_is_read() -> None:
    assert verify(signed(), [SIGNER.trusted]) == LIST
    assert LIST.names("fw", "*", "0" * 64) and LIST.names("fw", "fw2", "0" * 64)
    assert not any(
        LIST.names(*other) for other in (("nat", "*", "0" * 64), ("fw", "x", "0" * 64), ("fw", "*", "1" * 64))
    )


def test_no_byte_can_be_changed_taken_away_or_added() -> None:
    data = signed()
    for at in range(len(data)):
        with pytest.raises(EnvelopeError):
            verify(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], [SIGNER.trusted])
        with pytest.raises(EnvelopeError):
            verify(data[:at], [SIGNER.trusted])
    with pytest.raises(EnvelopeError):
        verify(data + b"\0", [SIGNER.trusted])


def test_another_signers_is_none() -> None:
    with pytest.raises(EnvelopeError, match="no trusted key"):
        verify(signed(), [Signer().trusted])
    with pytest.raises(EnvelopeError, match="no trusted key"):
        verify(signed(), [])


def test_an_envelope_is_no_list_and_a_list_no_envelope() -> None:
    with pytest.raises(EnvelopeError):
        verify(SIGNER.sign(release_of(b"x", program="fw")), [SIGNER.trusted])
    with pytest.raises(EnvelopeError):
        envelope.verify(signed(), [SIGNER.trusted])


def test_it_is_bounded() -> None:
    with pytest.raises(EnvelopeError, match="at most 3000"):
        release_list.encode(replace(LIST, releases=tuple(replace(FW, sequence=n) for n in range(3001))))
