"""Updates by raw CoAP: staged, activated, rolled back, and what packets, maps and status say of it."""

import secrets
from pathlib import Path

import aiocoap

from tests.support.guests import live_guest
from tests.support.guests.live_guest import PASS, V1, V2, LiveGuest, counting_filter
from tests.support.signing.golden import blocks
from tests.support.signing.signing import Signer, signed_bundle
from unibpf.formats import cbor, control_mac, envelope
from unibpf.formats.control_keys import ElementKey, StatusKey
from unibpf.formats.envelope import MapPolicy


def hits(guest: LiveGuest) -> int:
    answer = guest.channel.request("FETCH", "/elements/fw/maps/hits")
    assert answer.authenticated
    return int.from_bytes(answer.body[4][0][1], "little")


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
    assert set(status) == set(StatusKey)
    assert (status[0], status[1], status[3]) == ("fw1", guest.channel.keys.nonce, "edge")
    assert status[7][0] == "test-graph"
    assert [nic[0] for nic in status[5]] == ["in0", "out0"]
    assert status[6][0] >= status[6][2] >= status[6][1] > 0
    assert {row[0]: row[1] for row in status[4]}["fw"] == "BPFFilter"
    isolated = {row[14] for row in status[4] if 14 in row}
    assert len(isolated) == 1  # `auto`: the VM's CPU has protection keys, the host's may have none
    assert isolated == {"pku"} or guest.machine == "process"


def test_every_answer_of_a_running_guest_has_the_form_of_its_golden_body(guest: LiveGuest, signer: Signer) -> None:
    form = {
        name: cbor.decode(bytes.fromhex(row["item"]), max_bytes=1 << 20)
        for name, row in blocks("control_bodies").items()
    }
    staged = guest.channel.request("PUT", "/elements/fw/staged", signer.update(V2, sequence=11))
    assert_same_form(staged.body, form["staged"])
    assert_same_form(guest.channel.status(), form["status"], optional=set(ElementKey))
    activated = guest.channel.request("PUT", "/elements/fw/program", signer.update(V2, sequence=12))
    assert_same_form(activated.body, form["activated"])
    assert_same_form(guest.channel.status(), form["status"], optional=set(ElementKey))
    assert_same_form(guest.channel.request("FETCH", "/elements/fw/maps/hits").body, form["map-dump"])


def assert_same_form(item: object, form: object, *, optional: set[ElementKey] | None = None) -> None:
    """Type for type and key for key; each row of a list as one of the form's rows. `optional`: keys below the first list."""
    assert type(item) is type(form)
    if isinstance(item, dict) and isinstance(form, dict):
        assert set(item) == set(form)
        for key, value in item.items():
            assert_same_form(value, form[key], optional=optional)
    elif isinstance(item, list) and isinstance(form, list):
        for row in item:
            if isinstance(row, dict) and optional:
                kinds = {key: kind for one in form for key, kind in one.items()}
                assert set(row) <= optional
                assert all(type(value) is type(kinds[key]) for key, value in row.items())
            elif isinstance(row, list):
                assert [type(field) for field in row] == [type(field) for field in form[0]]


def test_status_tells_which_elements_run_isolated(bin_directory: Path, signer: Signer) -> None:
    graph = live_guest.GRAPH.replace("PROGRAM nat", "PROGRAM nat, ISOLATION none")
    image = live_guest.boot(signer, graph=graph.encode(), graph_envelope=signer.graph(graph))
    with live_guest.running(
        "microvm", bin_directory, image
    ) as guest:  # a CPU with protection keys, whatever the host's is
        assert [guest.channel.element(name)[14] for name in ("fw", "nat")] == ["pku", "none"]


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
            frame = guest.outside.receive_one()
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
        sealed = guest.channel.seal("FETCH", "/status")
        fetched = await client.request(
            aiocoap.Message(code=aiocoap.FETCH, uri=f"{base}/status", payload=sealed.message)
        ).response
        assert len(fetched.payload) > 1024
        assert control_mac.open_answer(guest.channel.keys, fetched.payload, request=sealed, code=int(fetched.code))
        core = await client.request(aiocoap.Message(code=aiocoap.GET, uri=f"{base}/.well-known/core")).response
        assert b"</elements/fw/staged>" in core.payload
    finally:
        await client.shutdown()
