"""Changing maps over the control channel of a real guest, by raw CoAP: what packets then meet, and what is refused."""

import struct
from pathlib import Path
from typing import Any

import pytest

from tests.support.guests import live_guest
from tests.support.guests.live_guest import LiveGuest, Machine
from tests.support.programs.programs import bundle_of_source
from tests.support.signing.signing import Signer
from unibpf.formats import cbor, control_mac

SOURCE = """
typedef unsigned int u32; typedef unsigned long long u64;
struct xdp_md { u32 data, data_end; };
#define SEC(name) __attribute__((section(name), used))
#define MAP(NAME, TYPE, ENTRIES, KEY, VALUE) \\
    struct { int (*type)[TYPE]; int (*max_entries)[ENTRIES]; KEY *key; VALUE *value; } NAME SEC(".maps")
struct wide { char bytes[60000]; };
MAP(denied, 1, 8, u32, u64);
MAP(slots, 2, 4, u32, u64);
MAP(recent, 9, 4, u32, u64);
MAP(percpu, 5, 4, u32, u64);
MAP(many, 1, 10000, u32, u64);
MAP(big, 2, 2, u32, struct wide);
static const volatile u64 constant = 7;
u64 verdict = 2;
static void *(*lookup)(void *map, const void *key) = (void *)1;

SEC("xdp") int firewall(struct xdp_md *ctx)
{
    unsigned char *data = (void *)(u64)ctx->data;
    u32 key;
    u64 *hits, sum = constant;
    if (data + 18 > (unsigned char *)(u64)ctx->data_end)
        return 1;
    key = *(u32 *)(data + 14);
    hits = lookup(&denied, &key);
    if (hits) {
        ++*hits;
        return 1;
    }
    key = 0;
    hits = lookup(&slots, &key);
    sum += hits ? *hits : 0;
    sum += lookup(&recent, &key) ? 1 : 0;
    sum += lookup(&percpu, &key) ? 1 : 0;
    sum += lookup(&many, &key) ? 1 : 0;
    sum += lookup(&big, &key) ? 1 : 0;
    return sum ? verdict : 1;
}
"""
PATH = "/elements/fw/maps/"
ENOENT, E2BIG, EEXIST, EINVAL = 2, 7, 17, 22
CREATE, REPLACE = 1, 2


@pytest.fixture(scope="module")
def program() -> bytes:
    return bundle_of_source(SOURCE, name="firewall")


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def change(guest: LiveGuest, name: str, changes: list[list[bytes]], **fields: Any) -> live_guest.Answer:
    items = {0: changes} | ({1: fields["flags"]} if "flags" in fields else {})
    items |= {2: fields["release"]} if "release" in fields else {}
    answer = guest.channel.request("POST", PATH + name, cbor.encode(items))
    assert answer.authenticated
    return answer


def entries(guest: LiveGuest, name: str, ask: dict[int, Any] | None = None) -> dict[bytes, bytes]:
    answer = guest.channel.request("FETCH", PATH + name, cbor.encode(ask or {}))
    assert (answer.name, answer.authenticated) == ("2.05", True), answer
    return dict(answer.body[4])


# --- what it does ---------------------------------------------------------------------------------------------------


def test_an_entry_set_while_packets_flow_is_what_the_next_packet_meets(guest: LiveGuest) -> None:
    assert guest.passes(u32(7))
    answer = change(guest, "denied", [[u32(7), u64(100)]])
    assert answer.name == "2.04"
    assert [answer.body[key] for key in range(3)] == ["denied", 1, 1]
    assert [step[0] for step in answer.body[3]] == ["apply"]
    assert not guest.passes(u32(7))
    assert guest.passes(u32(8))
    assert entries(guest, "denied") == {u32(7): u64(101)}

    assert change(guest, "denied", [[u32(7)]]).body[2] == 0
    assert guest.passes(u32(7))
    assert entries(guest, "denied") == {}


@pytest.mark.parametrize("name", ["denied", "slots", "recent", "percpu"])
def test_every_kind_of_map_gives_back_what_was_set(guest: LiveGuest, name: str) -> None:
    assert change(guest, name, [[u32(1), u64(5)], [u32(2), u64(6)]]).body[1] == 2
    assert entries(guest, name).items() >= {u32(1): u64(5), u32(2): u64(6)}.items()
    assert entries(guest, name, {2: u32(2)}) == {u32(2): u64(6)}


def test_one_entry_can_be_asked_for_by_its_key(guest: LiveGuest) -> None:
    change(guest, "denied", [[u32(1), u64(5)], [u32(2), u64(6)]])
    assert entries(guest, "denied", {2: u32(2)}) == {u32(2): u64(6)}
    assert entries(guest, "denied", {2: u32(3)}) == {}
    assert entries(guest, "slots", {2: u32(4)}) == {}
    for key in (b"", bytes(3), bytes(5)):
        assert guest.channel.request("FETCH", PATH + "denied", cbor.encode({2: key})).rule == "map-entry"


def test_global_variables_are_a_map_of_one_entry(guest: LiveGuest) -> None:
    assert entries(guest, ".data") == {u32(0): u64(2)}
    change(guest, ".data", [[u32(0), u64(1)]])
    assert not guest.passes(u32(1))
    change(guest, ".data", [[u32(0), u64(2)]])
    assert guest.passes(u32(1))


def test_many_entries_go_block_by_block_and_come_back_page_by_page(guest: LiveGuest) -> None:
    wanted = {u32(n): u64(n * n) for n in range(4096)}
    answer = change(guest, "many", [list(row) for row in wanted.items()])
    assert (answer.body[1], answer.body[2]) == (4096, 4096)
    got, cursor = {}, 0
    while True:
        page = guest.channel.request("FETCH", PATH + "many", cbor.encode({0: cursor})).body
        got |= dict(page[4])
        cursor = page[6]
        if cursor == 0:
            break
    assert got == wanted
    assert change(guest, "many", [[key] for key in wanted]).body[2] == 0


def test_a_large_value_fits(guest: LiveGuest) -> None:
    value = bytes(range(250)) * 240
    assert change(guest, "big", [[u32(1), value]]).body[1] == 1
    assert entries(guest, "big", {2: u32(1)}) == {u32(1): value}


def test_changes_survive_an_update_that_keeps_the_map(guest: LiveGuest, signer: Signer, program: bytes) -> None:
    change(guest, "denied", [[u32(7), u64(0)]])
    assert guest.channel.request("PUT", "/elements/fw/program", signer.update(program, sequence=11)).name == "2.04"
    assert not guest.passes(u32(7))


def test_no_packet_is_lost_while_thousands_of_entries_change(guest: LiveGuest) -> None:
    rows = [[u32(1000 + n), u64(n)] for n in range(4000)]
    frames = [bytes(12) + b"\x88\xb5" + u32(n) + bytes(42) for n in range(50)]
    for frame in frames[:25]:
        guest.inside.send(frame)
    assert change(guest, "many", rows).body[1] == 4000
    for frame in frames[25:]:
        guest.inside.send(frame)
    assert [guest.outside.receive_one() for _ in frames] == frames


# --- where it stops, and what it refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "flags", "applied", "errno"),
    [
        ("denied", [[u32(1), u64(9)]], CREATE, 0, EEXIST),
        ("denied", [[u32(2), u64(9)]], REPLACE, 0, ENOENT),
        ("denied", [[u32(3), u64(9)], [u32(4)], [u32(5), u64(9)]], 0, 1, ENOENT),
        ("denied", [[u32(10 + n), u64(n)] for n in range(9)], 0, 7, E2BIG),
        ("slots", [[u32(3), u64(9)], [u32(4), u64(9)]], 0, 1, E2BIG),
        ("slots", [[u32(3), u64(9)], [u32(3)]], 0, 1, EINVAL),
        ("slots", [[u32(3), u64(9)]], CREATE, 0, EEXIST),
    ],
)
def test_the_first_error_ends_the_request_and_what_was_done_before_stays(
    guest: LiveGuest, name: str, changes: list[list[bytes]], flags: int, applied: int, errno: int
) -> None:
    assert change(guest, "denied", [[u32(1), u64(0)]]).body[1] == 1
    answer = change(guest, name, changes, flags=flags)
    assert (answer.name, answer.body[1], answer.body[4]) == ("2.04", applied, errno)
    held = entries(guest, name)
    assert all(held[row[0]] == row[1] for row in changes[:applied])
    assert not {row[0] for row in changes[applied + 1 :]} & set(held)


def test_what_is_wrong_by_itself_is_refused_as_a_whole(guest: LiveGuest) -> None:
    good = [u32(1), u64(1)]
    cases: list[tuple[str, Any, str, str]] = [
        ("denied", {0: [good, [bytes(3), u64(1)]]}, "4.22", "map-entry"),
        ("denied", {0: [good, [u32(2), bytes(7)]]}, "4.22", "map-entry"),
        ("denied", {0: [good, [u32(2), b""]]}, "4.22", "map-entry"),
        ("denied", {0: [good, [bytes(5)]]}, "4.22", "map-entry"),
        ("denied", {0: [good, []]}, "4.00", "shape"),
        ("denied", {0: [good, [u32(2), u64(2), u64(2)]]}, "4.00", "shape"),
        ("denied", {0: [good, [1, 2]]}, "4.00", "shape"),
        ("denied", {0: [good], 1: 3}, "4.00", "shape"),
        ("denied", {0: [good], 3: 0}, "4.00", "shape"),
        ("denied", {1: 0}, "4.00", "shape"),
        ("denied", {0: [good] * 4097}, "4.22", "limits"),
        ("denied", {0: [good], 2: bytes(32)}, "4.09", "release"),
        (".rodata", {0: [[u32(0), u64(1)]]}, "4.03", "map-readonly"),
        ("nothing", {0: [good]}, "4.04", "path"),
    ]
    for name, items, code, rule in cases:
        answer = guest.channel.request("POST", PATH + name, cbor.encode(items))
        assert (answer.name, answer.rule, answer.authenticated) == (code, rule, True), (name, items)
    assert guest.channel.request("POST", "/elements/nat/maps/denied", cbor.encode({0: [good]})).rule == "path"
    assert entries(guest, "denied") == {}
    assert entries(guest, ".rodata") == {u32(0): u64(7)}


def test_a_change_may_be_bound_to_the_release_that_is_active(guest: LiveGuest) -> None:
    digest = guest.channel.element("fw")[5]
    assert change(guest, "denied", [[u32(1), u64(1)]], release=digest).name == "2.04"
    assert change(guest, "denied", [[u32(2), u64(1)]], release=bytes(31) + b"\x01").rule == "release"
    assert set(entries(guest, "denied")) == {u32(1)}


def test_a_change_without_a_mac_with_a_strangers_or_sent_again_is_refused(guest: LiveGuest) -> None:
    body = cbor.encode({0: [[u32(7), u64(0)]]})
    assert guest.channel.request("POST", PATH + "denied", body, mac=False).rule == "mac"
    stranger = control_mac.derive("fw1", bytes(32))
    for keys, path in ((stranger, PATH + "denied"), (guest.channel.keys, PATH + "slots")):
        forged = guest.channel.seal("POST", path, body, keys=keys)
        assert guest.channel.send_sealed("POST", PATH + "denied", forged).rule == "mac"
    assert entries(guest, "denied") == {}

    genuine = guest.channel.seal("POST", PATH + "denied", body)
    assert guest.channel.send_sealed("POST", PATH + "denied", genuine).name == "2.04"
    assert change(guest, "denied", [[u32(7)]]).name == "2.04"
    assert guest.channel.send_sealed("POST", PATH + "denied", genuine).rule == "counter"
    assert entries(guest, "denied") == {}


def test_a_body_above_the_limit_is_refused_before_it_is_kept(guest: LiveGuest) -> None:
    code, _, payload = guest.channel.exchange(
        live_guest.POST, PATH + "denied", {27: b"\x0e", 60: (1 << 20).to_bytes(3)}, bytes(1024)
    )
    answer = live_guest.decoded(code, payload)
    assert (answer.name, answer.rule) == ("4.13", "size")


def test_without_an_active_program_there_is_no_map(machine: Machine, bin_directory: Path, signer: Signer) -> None:
    with live_guest.running(machine, bin_directory, live_guest.boot(signer)) as guest:
        assert change(guest, "denied", [[u32(1), u64(1)]]).rule == "path"
