"""Reading rings over the control channel of a real guest, by raw CoAP: nothing is lost that was not acknowledged."""

import struct
import time
from typing import Any

import pytest

from tests.support.guests.live_guest import LiveGuest
from tests.support.programs.programs import bundle_of_source
from tests.support.signing.signing import Signer
from unibpf.formats import cbor
from unibpf.formats.envelope import MapPolicy

SOURCE = """
typedef unsigned int u32; typedef unsigned long long u64;
struct xdp_md { u32 data, data_end; };
#define SEC(name) __attribute__((section(name), used))
struct { int (*type)[27]; int (*max_entries)[4096]; } events SEC(".maps");
struct { int (*type)[4]; int (*max_entries)[1]; u32 *key; u32 *value; } samples SEC(".maps");
static long (*ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static long (*perf_event_output)(void *ctx, void *map, u64 flags, void *data, u64 size) = (void *)25;

SEC("xdp") int firewall(struct xdp_md *ctx)
{
    unsigned char *data = (void *)(u64)ctx->data;
    u32 word;
    if (data + 18 > (unsigned char *)(u64)ctx->data_end)
        return 1;
    word = *(u32 *)(data + 14);
    perf_event_output(ctx, &samples, 0xffffffff | 14ull << 32, &word, sizeof word);
    return ringbuf_output(&events, &word, sizeof word, 0) ? 1 : 2;
}
"""
PATH = "/elements/fw/maps/"
EVENTS = "events"
RECORDS_THAT_FIT = (4096 - 1) // 16  # 4 bytes take 8 with the header's 8


@pytest.fixture(scope="module")
def program() -> bytes:
    return bundle_of_source(SOURCE, name="firewall")


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def fetch(guest: LiveGuest, name: str = EVENTS, **ask: int) -> dict[int, Any]:
    keys = {"position": 0, "most": 1}
    answer = guest.channel.request("FETCH", PATH + name, cbor.encode({keys[key]: value for key, value in ask.items()}))
    assert (answer.name, answer.authenticated) == ("2.05", True), answer
    body: dict[int, Any] = answer.body
    return body


def words(body: dict[int, Any]) -> list[int]:
    assert all(key == b"" for key, _ in body[4])
    return [struct.unpack("<I", record)[0] for _, record in body[4]]


def test_records_are_given_until_they_are_acknowledged(guest: LiveGuest) -> None:
    assert all(guest.passes(u32(word)) for word in (1, 2, 3))
    first = fetch(guest)
    assert (words(first), first[5], first[6], first[8]) == ([1, 2, 3], 3, 0, 0)
    assert words(fetch(guest)) == [1, 2, 3]  # as if the answer had been lost

    assert guest.passes(u32(4))
    second = fetch(guest, position=first[7])
    assert (words(second), second[5]) == ([4], 1)
    assert words(fetch(guest, position=first[7])) == [4]
    third = fetch(guest, position=second[7])
    assert (words(third), third[5], third[7]) == ([], 0, second[7])


def test_an_answer_holds_no_more_than_was_asked_for(guest: LiveGuest) -> None:
    assert all(guest.passes(u32(word)) for word in (1, 2, 3))
    first = fetch(guest, most=2)
    assert words(first) == [1, 2]
    assert words(fetch(guest, position=first[7])) == [3]


def test_a_position_that_the_ring_has_not_reached_changes_nothing(guest: LiveGuest) -> None:
    assert guest.passes(u32(1))
    ahead = cbor.encode({0: fetch(guest)[7] + 8})
    assert guest.channel.request("FETCH", PATH + EVENTS, ahead).name == "4.00"
    assert words(fetch(guest)) == [1]


def test_a_position_of_the_ring_before_a_reset_acknowledges_nothing(
    guest: LiveGuest, signer: Signer, program: bytes
) -> None:
    assert guest.passes(u32(1))
    old = fetch(guest)[7]
    update = signer.update(program, sequence=11, maps=(MapPolicy(map=EVENTS, policy="reset"),))
    answer = guest.channel.request("PUT", "/elements/fw/program", update)
    assert answer.name == "2.04", answer
    assert guest.passes(u32(2))
    assert words(fetch(guest, position=old)) == [2]
    assert words(fetch(guest, position=old)) == [2]


def test_what_finds_the_ring_full_is_counted_and_the_rest_is_whole(guest: LiveGuest) -> None:
    frames = RECORDS_THAT_FIT + 10
    for word in range(frames):
        guest.inside.send(bytes(12) + b"\x88\xb5" + u32(word) + bytes(42))
    full = fetch(guest)
    while full[5] + full[8] < frames:
        time.sleep(0.05)
        full = fetch(guest)
    assert full[8] == frames - RECORDS_THAT_FIT
    assert words(full) == list(range(RECORDS_THAT_FIT))
    while guest.outside.receive_one(0.1):
        pass
    assert words(fetch(guest, position=full[7])) == []
    assert guest.passes(u32(7))
    assert words(fetch(guest)) == [7]


def test_perf_events_carry_the_start_of_the_packet(guest: LiveGuest) -> None:
    assert guest.passes(u32(5))
    body = fetch(guest, "samples")
    assert (body[1], body[4]) == (4, [[b"", u32(5) + bytes(12) + b"\x88\xb5"]])


def test_a_ring_takes_no_changes(guest: LiveGuest) -> None:
    answer = guest.channel.request("POST", PATH + EVENTS, cbor.encode({0: [[b"", b""]]}))
    assert (answer.name, answer.rule) == ("4.03", "map-readonly")
