"""Messages of the control channel, whatever they carry: MACs, counters, repeats, options, blocks and garbage.

Refusals are sent past all services, as an attacker on the management network would send them.
"""

import random
import secrets
import time

import pytest

from tests.support.guests import live_guest
from tests.support.guests.live_guest import DROP, V1, V2, LiveGuest, counting_filter
from tests.support.signing.signing import Signer
from unibpf.formats import control_mac


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("FETCH", "/status"),
        ("POST", "/elements/fw/activate"),
        ("PUT", "/elements/fw/program"),
        ("POST", "/elements/fw/rollback"),
        ("FETCH", "/elements/fw/maps/hits"),
        ("PUT", "/graph"),
    ],
)
def test_whatever_changes_or_reads_what_runs_needs_a_mac(
    lasting: LiveGuest, signer: Signer, method: str, path: str
) -> None:
    body = signer.update(V2, sequence=11) if path.endswith("program") else b"\xa0"
    bare = lasting.channel.request(method, path, body, mac=False)
    assert (bare.name, bare.rule) == ("4.01", "mac")
    keys = control_mac.derive("fw1", bytes(32))
    forged = control_mac.seal_request(keys, method=method, path=path, counter=1 << 60, body=body)
    answer = lasting.channel.send_sealed(method, path, forged)
    assert (answer.name, answer.rule, answer.authenticated) == ("4.01", "mac", False)
    assert lasting.passes()


def test_a_mac_for_another_path_method_or_guest_is_refused(lasting: LiveGuest) -> None:
    channel = lasting.channel
    sealed = channel.seal("POST", "/elements/nat/rollback")
    assert channel.send_sealed("POST", "/elements/fw/rollback", sealed).rule == "mac"
    other = control_mac.ControlKeys(
        guest="fw2", nonce=channel.keys.nonce, to_guest=channel.keys.to_guest, from_guest=channel.keys.from_guest
    )
    moved = channel.seal("FETCH", "/status", keys=other)
    assert channel.send_sealed("FETCH", "/status", moved).rule == "mac"
    assert channel.status()


def test_a_replayed_request_is_refused_with_the_highest_counter(lasting: LiveGuest) -> None:
    channel = lasting.channel
    sealed = channel.seal("FETCH", "/status")
    assert channel.send_sealed("FETCH", "/status", sealed).name == "2.05"
    again = channel.send_sealed("FETCH", "/status", sealed)
    assert (again.name, again.rule, again.authenticated) == ("4.09", "counter", True)
    assert again.body["urn:unibpf:v1"][1] == channel.counter


def test_a_retransmitted_message_gets_the_same_answer_and_acts_once(guest: LiveGuest, signer: Signer) -> None:
    channel = guest.channel
    sealed = channel.seal("PUT", "/elements/fw/program", signer.update(V1, sequence=11))
    datagram = live_guest.message(live_guest.PUT, "/elements/fw/program", {}, sealed.message, message_id=4242)
    first = channel.raw(datagram, seconds=5)
    assert first is not None
    assert channel.raw(datagram, seconds=5) == first
    control = dict(next(row for row in channel.status()[4] if row[0] == "control")[13])
    assert (control["activations"], control["duplicates"]) == ("1", "1")


def test_unknown_paths_methods_options_and_formats_are_refused_by_rule(lasting: LiveGuest) -> None:
    channel = lasting.channel
    cases = [
        (live_guest.GET, "/nowhere", {}, "4.04", "path"),
        (live_guest.GET, "/elements/fw", {}, "4.04", "path"),
        (live_guest.GET, "/status", {}, "4.05", "method"),
        (live_guest.PUT, "/elements/fw/rollback", {}, "4.05", "method"),
        (live_guest.FETCH, "/status", {9: b"x"}, "4.02", "option"),
        (live_guest.FETCH, "/status", {12: b"\x32"}, "4.15", "option"),
        (live_guest.FETCH, "/status", {17: b"\x32"}, "4.06", "option"),
        (live_guest.FETCH, "/status", {27: b"\x07"}, "4.00", "block"),
        (live_guest.PUT, "/elements/fw/staged", {27: live_guest.uint(5 << 4 | 8 | 6)}, "4.08", "block"),
        (live_guest.PUT, "/elements/fw/staged", {27: b"\x0e", 60: (1 << 24).to_bytes(4)}, "4.13", "size"),
    ]
    for code, path, options, name, rule in cases:
        answered, _, payload = channel.exchange(code, path, options, bytes(1024) if 27 in options else b"")
        answer = live_guest.decoded(answered, payload)
        assert (answer.name, answer.rule) == (name, rule), (path, options)


def test_garbage_is_survived(lasting: LiveGuest, signer: Signer) -> None:
    rng = random.Random(7)  # the same garbage each time
    good = live_guest.message(live_guest.PUT, "/elements/fw/staged", {}, signer.update(V1, sequence=12), message_id=1)
    for number in range(400):
        datagram = rng.randbytes(rng.randrange(1, 1200))
        if number % 2:
            flipped = bytearray(good)
            for _ in range(rng.randrange(1, 8)):
                flipped[rng.randrange(len(good))] = rng.randrange(256)
            datagram = bytes(flipped)
        lasting.channel.socket.send(datagram)
        if number % 20 == 0:
            time.sleep(0.005)
    time.sleep(0.2)
    fresh = live_guest.Channel(lasting.channel.address, lasting.channel.keys, counter=lasting.channel.counter + 1000)
    try:
        row = next(row for row in fresh.status()[4] if row[0] == "fw")
        assert (row[3], row[4]) == ("firewall", 10)
    finally:
        lasting.channel.counter = fresh.counter
        fresh.close()
        lasting.channel.drain()
    assert lasting.passes()
    assert lasting.alive()


def test_strangers_who_hold_every_slot_do_not_keep_out_who_has_the_key(lasting: LiveGuest, signer: Signer) -> None:
    """They begin uploads and never end them, over and over; signed bundles of many blocks and maps go through meanwhile."""
    stranger = live_guest.Channel(lasting.channel.address, lasting.channel.keys)
    blocks = {27: live_guest.uint(8 | 6), 60: (200_000).to_bytes(3)}
    try:
        for number in range(12):
            for _ in range(6):
                tag = {292: secrets.token_bytes(4)}
                stranger.exchange(live_guest.PUT, "/elements/fw/staged", blocks | tag, bytes(1024))
            program = counting_filter(DROP, filler=3000)
            answer = lasting.channel.request(
                "PUT", "/elements/fw/staged", signer.update(program, sequence=100 + number)
            )
            assert answer.name == "2.04", answer
            assert lasting.channel.status()[0] == "fw1"
        last = stranger.exchange(live_guest.PUT, "/elements/fw/staged", blocks | {292: b"z"}, bytes(1024))
        assert live_guest.decoded(last[0], last[2]).rule in {None, "busy"}
    finally:
        stranger.close()
    assert lasting.passes()
