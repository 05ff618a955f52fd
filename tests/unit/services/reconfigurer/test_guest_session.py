"""services.reconfigurer.guest_session against a guest behind its seam: what counts as a fact, and how counters go on."""

import pytest

from services.reconfigurer.coap_client import Response
from services.reconfigurer.errors import GuestRefused, GuestUnreachable
from services.reconfigurer.guest_session import GuestSession
from unibpf.formats import cbor, control_mac
from unibpf.formats.control_mac import METHODS

KEYS = control_mac.derive("g1", bytes(32))
NAMES = {code: name for name, code in METHODS.items()}


def problem(rule, highest=None):
    ours = {0: rule} | ({} if highest is None else {1: highest})
    return cbor.encode({-1: "No", -2: "got a, expected b", -4: 0x89, "urn:unibpf:v1": ours})


class Guest:
    """Answers each request by the next step: (code, body), or a function that gives the whole payload."""

    def __init__(self, *steps):
        self.steps, self.counters = list(steps), []

    async def exchange(self, address, method, path, payload, *, trace=None):
        opened = control_mac.open_request(KEYS, payload, method=method, path=path)
        self.counters.append(opened.claims.counter)
        step = self.steps.pop(0)
        if callable(step):
            return response(*step(opened))
        code, body = step
        return response(code, control_mac.seal_answer(KEYS, opened, code=code, body=body).message)


def response(code, payload):
    return Response(code=code, payload=payload, sent_ns=1, received_ns=2)


def session(guest, now=100):
    return GuestSession(address="127.0.0.1:1", keys=KEYS, exchange=guest, now_us=lambda: now)


async def ask(guest, **options):
    return await session(guest, **options).request("FETCH", "/status", b"\xa0")


async def test_an_authenticated_answer_is_a_fact():
    fact = await ask(Guest((69, b"\x07")))
    assert (fact.body, fact.sent_ns, fact.received_ns) == (7, 1, 2)


async def test_an_authenticated_refusal_carries_the_guests_rule_and_sentence():
    with pytest.raises(GuestRefused, match="No: got a, expected b") as error:
        await ask(Guest((0x83, problem("audience"))))
    assert (error.value.rule, error.value.code) == ("audience", 0x83)


NO_FACTS = {
    "a_bare_refusal": lambda opened: (0x83, problem("audience")),
    "a_bare_success": lambda opened: (68, b"\xa0"),
    "nothing": lambda opened: (68, b""),
    "an_answer_by_another_key": lambda opened: (
        68,
        control_mac.seal_answer(control_mac.derive("g1", bytes(31) + b"1"), opened, code=68, body=b"\xa0").message,
    ),
    "an_answer_for_another_code": lambda opened: (
        68,
        control_mac.seal_answer(KEYS, opened, code=69, body=b"\xa0").message,
    ),
    "a_body_that_is_no_cbor": lambda opened: (
        68,
        control_mac.seal_answer(KEYS, opened, code=68, body=b"\xff").message,
    ),
    "a_refusal_without_details": lambda opened: (
        0x83,
        control_mac.seal_answer(KEYS, opened, code=0x83, body=b"\xa0").message,
    ),
}


@pytest.mark.parametrize("step", NO_FACTS.values(), ids=NO_FACTS)
async def test_anything_else_says_nothing_about_the_guest(step):
    with pytest.raises(GuestUnreachable):
        await ask(Guest(step))


async def test_what_an_unauthenticated_refusal_claims_is_told_and_not_believed():
    with pytest.raises(GuestUnreachable, match="it claims `audience`"):
        await ask(Guest(NO_FACTS["a_bare_refusal"]))


async def test_counters_rise_even_when_the_clock_stands():
    guest = Guest((69, b"\x00"), (69, b"\x00"))
    talk = session(guest)
    for _ in range(2):
        await talk.request("FETCH", "/status", b"\xa0")
    assert guest.counters == [100, 101]


async def test_a_guest_that_saw_a_higher_counter_is_asked_once_more_above_it():
    guest = Guest((0x89, problem("counter", 5000)), (69, b"\x00"))
    await ask(guest)
    assert guest.counters == [100, 5001]


async def test_a_guest_that_never_likes_the_counter_ends_the_attempts():
    with pytest.raises(GuestRefused, match="No"):
        await ask(Guest((0x89, problem("counter", 5000)), (0x89, problem("counter", 9000))))


async def test_a_sequence_conflict_is_no_counter_conflict():
    guest = Guest((0x89, problem("sequence", 5000)))
    with pytest.raises(GuestRefused) as error:
        await ask(guest)
    assert (error.value.rule, error.value.highest, len(guest.counters)) == ("sequence", 5000, 1)
