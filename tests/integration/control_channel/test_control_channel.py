"""The control channel of a real guest, by raw CoAP: what it does, and what it refuses while it goes on running.

Refusals are sent past all services, as an attacker
on the management network would send them.
"""

import random
import secrets
import time
from pathlib import Path
from typing import Any

import aiocoap
import pytest

from tests.support import live_guest
from tests.support.live_guest import (
    DROP,
    PASS,
    V1,
    V2,
    LiveGuest,
    Machine,
    Signer,
    counting_filter,
    first_program,
    signed_bundle,
)
from unibpf import boot_image, control_mac, envelope
from unibpf.boot_image import BootImage
from unibpf.envelope import MapPolicy, Release


def hits(guest: LiveGuest) -> int:
    answer = guest.channel.request("FETCH", "/elements/fw/maps/hits")
    assert answer.authenticated
    return int.from_bytes(answer.body[4][0][1], "little")


# --- what it does ---------------------------------------------------------------------------------------------------


def test_a_signed_program_is_staged_beside_the_running_one_and_then_activated(guest: LiveGuest, signer: Signer) -> None:
    signed = signer.release(V2, sequence=11)
    digest = bytes.fromhex(envelope.digest(signed))
    for _ in range(3):
        assert guest.passes()

    staged = guest.channel.request("PUT", "/elements/fw/staged", signed_bundle(signed, V2), mac=False)
    assert staged.name == "2.04"
    assert [staged.body[key] for key in range(5)] == [0, "fw", "firewall", 11, digest]
    assert [step[0] for step in staged.body[5]] == ["parse", "signature", "payload", "digest", "decode", "maps", "load"]
    assert staged.body[6] == [["hits", 0, 4]]
    assert guest.passes()
    assert guest.channel.element("fw")[10] == [11, digest]

    activated = guest.channel.request("POST", "/elements/fw/activate", b"\xa1\x00\x58\x20" + digest)
    assert activated.name == "2.04"
    assert activated.authenticated
    assert activated.body[0] == 0
    assert activated.body[6] == [["hits", 0, 4]]
    assert activated.body[12] == 0
    assert not guest.passes()
    row = guest.channel.element("fw")
    assert (row[3], row[4], row[5], row[12]) == ("firewall", 11, digest, 11)
    assert hits(guest) == 5  # 4 by version 1, 1 by version 2: the map went along


def test_staging_and_activating_in_one_request_tells_every_step(guest: LiveGuest, signer: Signer) -> None:
    answer = guest.channel.request("PUT", "/elements/fw/program", signer.update(V2, sequence=11))
    assert answer.name == "2.04"
    names = [step[0] for step in answer.body[5]]
    assert names == ["parse", "signature", "payload", "digest", "decode", "maps", "load", "swap"]
    starts = [step[1] for step in answer.body[5]]
    assert starts == sorted(starts)
    assert not guest.passes()


def test_rolling_back_brings_the_previous_program_and_leaves_the_floor(guest: LiveGuest, signer: Signer) -> None:
    guest.channel.request("PUT", "/elements/fw/program", signer.update(V2, sequence=11))
    answer = guest.channel.request("POST", "/elements/fw/rollback")
    assert answer.name == "2.04"
    assert answer.body[3] == 10
    assert guest.passes()
    assert guest.channel.element("fw")[12] == 11
    again = guest.channel.request("PUT", "/elements/fw/program", signer.update(V2, sequence=11, element="fw"))
    assert again.rule == "sequence"


def test_a_retry_is_no_replay(guest: LiveGuest, signer: Signer) -> None:
    message = signer.update(V2, sequence=11)
    assert guest.channel.request("PUT", "/elements/fw/staged", message, mac=False).body[0] == 0
    assert guest.channel.request("PUT", "/elements/fw/staged", message, mac=False).body[0] == 1
    assert guest.channel.request("PUT", "/elements/fw/program", message).body[0] == 0
    assert guest.channel.request("PUT", "/elements/fw/program", message).body[0] == 1
    assert guest.channel.request("PUT", "/elements/fw/staged", message).body[0] == 1


def test_a_reset_map_starts_anew(guest: LiveGuest, signer: Signer) -> None:
    assert guest.passes()
    message = signer.update(V1, sequence=11, maps=(MapPolicy(map="hits", policy="reset"),))
    answer = guest.channel.request("PUT", "/elements/fw/program", message)
    assert answer.body[6][0][:2] == ["hits", 2]
    assert hits(guest) == 0


def test_a_trace_context_is_echoed(guest: LiveGuest, signer: Signer) -> None:
    trace = secrets.token_bytes(25)
    body = signer.update(V1, sequence=11)
    code, _, payload = guest.channel.exchange(live_guest.PUT, "/elements/fw/staged", {65000: trace}, body)
    assert code == live_guest.CHANGED
    assert live_guest.decoded(code, payload).body[8] == trace


def test_status_tells_guest_graph_elements_and_nics(guest: LiveGuest) -> None:
    status = guest.channel.status()
    assert set(status) == set(range(13))
    assert (status[0], status[1], status[3]) == ("fw1", guest.channel.keys.nonce, "edge")
    assert status[7][0] == "test-graph"
    assert [nic[0] for nic in status[5]] == ["in0", "out0"]
    assert status[6][0] >= status[6][2] >= status[6][1] > 0
    assert {row[0]: row[1] for row in status[4]}["fw"] == "BPFFilter"


def test_no_packet_is_lost_while_programs_are_swapped(guest: LiveGuest, signer: Signer) -> None:
    sent = received = 0
    for sequence in range(11, 31):
        for _ in range(10):
            guest.inside.send(bytes(12) + b"\x88\xb5" + sent.to_bytes(46))
            sent += 1
        program = counting_filter(PASS, filler=sequence)
        answer = guest.channel.request("PUT", "/elements/fw/program", signer.update(program, sequence=sequence))
        assert answer.name == "2.04", answer
        while received < sent:
            frame = guest.outside.receive()
            assert frame is not None
            assert int.from_bytes(frame[14:]) == received
            received += 1
    assert hits(guest) == sent


async def test_an_independent_client_gets_through_block_by_block(guest: LiveGuest, signer: Signer) -> None:
    client = await aiocoap.Context.create_client_context()
    base = "coap://{}:{}".format(*guest.channel.address)
    try:
        message = aiocoap.Message(
            code=aiocoap.PUT,
            uri=f"{base}/elements/fw/staged",
            payload=signer.update(V2, sequence=11),
            content_format=60,
        )
        staged = await client.request(message).response
        assert str(staged.code) == "2.04 Changed"
        sealed = control_mac.seal_request(
            guest.channel.keys, method="FETCH", path="/status", counter=time.time_ns() // 1000, body=b"\xa0"
        )
        fetched = await client.request(
            aiocoap.Message(code=aiocoap.FETCH, uri=f"{base}/status", payload=sealed.message)
        ).response
        assert len(fetched.payload) > 1024
        assert control_mac.open_answer(guest.channel.keys, fetched.payload, request=sealed, code=int(fetched.code))
        core = await client.request(aiocoap.Message(code=aiocoap.GET, uri=f"{base}/.well-known/core")).response
        assert b"</elements/fw/staged>" in core.payload
    finally:
        await client.shutdown()


# --- what it refuses ------------------------------------------------------------------------------------------------


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
        "bytes behind the end": ("shape", signed_bundle(good, V2) + b"\x00"),
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
    channel.counter += 10
    sealed = control_mac.seal_request(
        channel.keys, method="POST", path="/elements/nat/rollback", counter=channel.counter, body=b"\xa0"
    )
    assert channel.send_sealed("POST", "/elements/fw/rollback", sealed).rule == "mac"
    other = control_mac.ControlKeys(
        guest="fw2", nonce=channel.keys.nonce, to_guest=channel.keys.to_guest, from_guest=channel.keys.from_guest
    )
    moved = control_mac.seal_request(other, method="FETCH", path="/status", counter=channel.counter + 1, body=b"\xa0")
    assert channel.send_sealed("FETCH", "/status", moved).rule == "mac"
    assert channel.status()


def test_a_replayed_request_is_refused_with_the_highest_counter(lasting: LiveGuest) -> None:
    channel = lasting.channel
    channel.counter += 1
    sealed = control_mac.seal_request(
        channel.keys, method="FETCH", path="/status", counter=channel.counter, body=b"\xa0"
    )
    assert channel.send_sealed("FETCH", "/status", sealed).name == "2.05"
    again = channel.send_sealed("FETCH", "/status", sealed)
    assert (again.name, again.rule, again.authenticated) == ("4.09", "counter", True)
    assert again.body["urn:unibpf:v1"][1] == channel.counter


def test_a_retransmitted_message_gets_the_same_answer_and_acts_once(guest: LiveGuest, signer: Signer) -> None:
    channel = guest.channel
    channel.counter += 1
    sealed = control_mac.seal_request(
        channel.keys,
        method="PUT",
        path="/elements/fw/program",
        counter=channel.counter,
        body=signer.update(V1, sequence=11),
    )
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
            answer = lasting.channel.request("PUT", "/elements/fw/staged", signer.update(program, sequence=100 + number))
            assert answer.name == "2.04", answer
            assert lasting.channel.status()[0] == "fw1"
        last = stranger.exchange(live_guest.PUT, "/elements/fw/staged", blocks | {292: b"z"}, bytes(1024))
        assert live_guest.decoded(last[0], last[2]).rule in {None, "busy"}
    finally:
        stranger.close()
    assert lasting.passes()


# --- booting --------------------------------------------------------------------------------------------------------


def test_an_element_without_a_program_fails_closed_until_it_gets_one(
    machine: Machine, bin_directory: Path, signer: Signer
) -> None:
    with live_guest.running(machine, bin_directory, live_guest.boot(signer)) as guest:
        assert not guest.passes()
        assert ["no-program", 1] in guest.channel.element("fw")[8]
        assert guest.channel.request("POST", "/elements/fw/rollback").rule == "nothing-previous"
        assert (
            guest.channel.request("POST", "/elements/fw/activate", b"\xa1\x00\x58\x20" + bytes(32)).rule
            == "nothing-staged"
        )
        answer = guest.channel.request("PUT", "/elements/fw/program", signer.update(V1, sequence=1))
        assert answer.name == "2.04"
        assert answer.body[6][0][:2] == ["hits", 1]
        assert guest.passes()


def test_a_bad_first_program_is_named_on_the_console_and_its_element_fails_closed(
    machine: Machine, bin_directory: Path, signer: Signer
) -> None:
    programs = [first_program(Signer(), V1, sequence=10)]
    with live_guest.running(machine, bin_directory, live_guest.boot(signer, programs=programs)) as guest:
        assert "element `fw` starts without a program" in guest.console_text()
        assert "rule key" in guest.console_text()
        assert not guest.passes()


def test_a_rebooted_guest_takes_what_ran_before_and_nothing_older(
    machine: Machine, bin_directory: Path, signer: Signer
) -> None:
    for sequence, accepted in ((20, True), (19, False)):
        image = live_guest.boot(signer, programs=[first_program(signer, V1, sequence=sequence)], floors={"fw": 20})
        with live_guest.running(machine, bin_directory, image) as guest:
            assert guest.passes() == accepted
            assert guest.channel.element("fw")[12] == 20
            assert (
                guest.channel.request("PUT", "/elements/fw/program", signer.update(V2, sequence=20)).rule == "sequence"
            )


def test_a_guest_that_pins_an_es256_key_takes_its_releases_and_nobody_elses(
    machine: Machine, bin_directory: Path, signer: Signer
) -> None:
    hsm = live_guest.EcSigner()
    image = live_guest.boot(hsm, programs=[first_program(hsm, V1, sequence=10)])
    with live_guest.running(machine, bin_directory, image) as guest:
        assert guest.passes()
        assert guest.channel.request("PUT", "/elements/fw/program", signer.update(V2, sequence=11)).rule == "key"
        assert guest.passes()
        assert guest.channel.request("PUT", "/elements/fw/program", hsm.update(V2, sequence=11)).name == "2.04"
        assert not guest.passes()


def unsigned(signer: Signer) -> BootImage:
    return live_guest.boot(signer, graph_envelope=Signer().graph(live_guest.GRAPH))


def changed(signer: Signer) -> BootImage:
    return live_guest.boot(signer, graph=live_guest.GRAPH.replace("fw", "gw").encode())


def broken(signer: Signer) -> BootImage:
    text = "control :: Control; FromDevice(in0) -> Nonsense;"
    return live_guest.boot(signer, graph=text.encode(), graph_envelope=signer.graph(text))


def older(signer: Signer) -> BootImage:
    return live_guest.boot(signer, floors={"": 2})


@pytest.mark.parametrize(
    ("make", "word"),
    [(unsigned, "`key`"), (changed, "`bundle-digest`"), (broken, "Nonsense"), (older, "`sequence`")],
    ids=["signed by a stranger", "another text", "an unknown element", "older than before"],
)
def test_a_bad_graph_ends_the_boot_with_a_panic_that_names_the_rule(
    machine: Machine, bin_directory: Path, signer: Signer, make: Any, word: str
) -> None:
    with pytest.raises(AssertionError) as refused, live_guest.running(machine, bin_directory, make(signer)):
        pass
    assert "unibpf panic" in str(refused.value)
    assert word in str(refused.value)


def test_a_truncated_boot_image_ends_the_boot_with_a_panic(
    machine: Machine, bin_directory: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = boot_image.encode
    monkeypatch.setattr(boot_image, "encode", lambda image: encode(image)[:-20])
    with (
        pytest.raises(AssertionError, match=r"unibpf panic.*`boot`"),
        live_guest.running(machine, bin_directory, live_guest.boot(signer)),
    ):
        pass


def test_releases_are_what_the_host_says_they_are(signer: Signer) -> None:
    """The bad messages above are bad by one defect only: the release they start from is the host's own."""
    parsed = envelope.parse(signer.release(V2, sequence=11))
    assert isinstance(parsed.release, Release)
    assert parsed.release.sequence == 11
