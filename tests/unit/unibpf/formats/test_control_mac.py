"""unibpf.formats.control_mac: what a MAC binds, and that an answer belongs to one request."""

import hmac

import pytest

from unibpf.formats import cbor, control_mac
from unibpf.formats.control_mac import MacError

SEED = bytes(range(32))
KEYS = control_mac.derive("fw1", SEED)
STAGE = {"method": "PUT", "path": "/elements/fw/staged"}


def request(**changes):
    return control_mac.seal_request(KEYS, counter=7, body=b"body", **(STAGE | changes))


def test_keys_follow_rfc_5869_expand():
    prk = hmac.digest(b"unibpf.v1", SEED, "sha256")
    assert KEYS.to_guest == hmac.digest(prk, b"to-guest\x01", "sha256")
    assert KEYS.from_guest == hmac.digest(prk, b"from-guest\x01", "sha256")
    assert KEYS.nonce == hmac.digest(prk, b"boot-nonce\x01", "sha256")[:16]


def test_no_key_shows_in_repr():
    assert KEYS.to_guest.hex() not in repr(KEYS)
    assert repr(KEYS.to_guest) not in repr(KEYS)


def test_a_request_opens_with_its_claims_and_body():
    opened = control_mac.open_request(KEYS, request().message, **STAGE)
    assert (opened.body, opened.claims.counter, opened.claims.guest) == (b"body", 7, "fw1")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [({"method": "POST"}, "code"), ({"path": "/elements/fw/program"}, "path")],
    ids=["method", "path"],
)
def test_a_request_for_something_else_is_refused_by_its_claim(changes, rule):
    with pytest.raises(MacError) as error:
        control_mac.open_request(KEYS, request().message, **(STAGE | changes))
    assert error.value.rule == rule


def test_a_request_of_another_boot_is_refused():
    other = control_mac.derive("fw1", bytes(32))
    with pytest.raises(MacError) as error:
        control_mac.open_request(other, request().message, **STAGE)
    assert error.value.rule == "mac"


def test_a_request_to_another_guest_with_the_same_seed_is_refused():
    with pytest.raises(MacError) as error:
        control_mac.open_request(control_mac.derive("fw2", SEED), request().message, **STAGE)
    assert error.value.rule == "guest"


def test_a_change_of_any_byte_is_refused():
    message = request().message
    for at in range(len(message)):
        for bit in (0x01, 0x80):
            changed = message[:at] + bytes([message[at] ^ bit]) + message[at + 1 :]
            with pytest.raises(MacError):
                control_mac.open_request(KEYS, changed, **STAGE)


def answer(sealed, code=68, body=b"answer"):
    opened = control_mac.open_request(KEYS, sealed.message, **STAGE)
    return control_mac.seal_answer(KEYS, opened, code=code, body=body).message


def test_an_answer_opens_for_its_request():
    sealed = request()
    assert control_mac.open_answer(KEYS, answer(sealed), request=sealed, code=68) == b"answer"


def test_an_answer_to_another_request_is_refused():
    first = request()
    second = control_mac.seal_request(KEYS, counter=8, body=b"body", **STAGE)
    with pytest.raises(MacError) as error:
        control_mac.open_answer(KEYS, answer(first), request=second, code=68)
    assert error.value.rule in {"request_tag", "counter"}


def test_an_answer_under_another_response_code_is_refused():
    sealed = request()
    with pytest.raises(MacError) as error:
        control_mac.open_answer(KEYS, answer(sealed), request=sealed, code=69)
    assert error.value.rule == "code"


def test_a_request_cannot_be_reflected_as_its_answer():
    sealed = request()
    with pytest.raises(MacError) as error:
        control_mac.open_answer(KEYS, sealed.message, request=sealed, code=3)
    assert error.value.rule == "mac"


def test_a_body_put_under_another_mac_is_refused():
    mac0, _ = cbor.decode(request().message, max_bytes=1000)
    with pytest.raises(MacError) as error:
        control_mac.open_request(KEYS, cbor.encode([mac0, b"other"]), **STAGE)
    assert error.value.rule == "body"


@pytest.mark.parametrize(
    "message",
    [b"", b"\xff", cbor.encode([b"", b""]), cbor.encode([cbor.encode(cbor.Tag(18, [b"", {}, b"", b""])), b""])],
    ids=["empty", "break", "empty_mac", "tag_18"],
)
def test_garbage_is_a_shape_error(message):
    with pytest.raises(MacError) as error:
        control_mac.open_request(KEYS, message, **STAGE)
    assert error.value.rule == "shape"
