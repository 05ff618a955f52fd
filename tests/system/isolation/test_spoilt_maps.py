"""An isolated program fills every page of its key with junk: control goes on, and nothing else has changed."""

import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.guests.boot import Boot
from tests.support.guests.isolation import MACHINE
from tests.support.guests.linux_vm import LinuxVm
from tests.support.guests.live_guest import Channel
from tests.support.guests.qemu import running_vm
from tests.support.guests.wires import Wire
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.signing.signing import signed_bundle
from unibpf.formats import cbor, control_mac
from unibpf.formats.bundle import BundleMap

GRAPH = """
control :: Control;
FromDevice(inside) -> fw :: BPFFilter(PROGRAM firewall, ENGINE {engine}, ISOLATION pku) -> Queue(512) -> ToDevice(outside);
FromDevice(outside) -> back :: BPFFilter(PROGRAM firewall, ISOLATION pku) -> Queue(512) -> ToDevice(inside);
"""
MAPS = (
    BundleMap(name="array", type=2, key_size=4, value_size=8, max_entries=40),
    BundleMap(name="hash", type=1, key_size=4, value_size=16, max_entries=100),
    BundleMap(name="lru", type=9, key_size=4, value_size=8, max_entries=100),
    BundleMap(name="trie", type=11, key_size=8, value_size=8, max_entries=50, flags=1),
    BundleMap(name="ring", type=27, key_size=0, value_size=0, max_entries=4096),
    BundleMap(name="wide", type=1, key_size=20, value_size=100, max_entries=30),
)
WORDS = 48  # of a Map that the program looks through for addresses of its pages
KEYS = [struct.pack("<I", number) for number in range(12)]
TRIGGER = 0x5A

# Word [15] of the Map number [28] is an address of a page, if it is one: [24] words from there on become [16].
SPOIL = f"""
    ldxw r7, [r1+0]
    ldxb r2, [r7+14]
    jne64 r2, {TRIGGER}, pass
    ldxb r2, [r7+28]
    {{maps}}
go:
    ldxb r3, [r7+15]
    lsh64 r3, 3
    add64 r6, r3
    ldxdw r6, [r6+0]
    mov64 r4, r6
    and64 r4, 4095
    jne64 r4, 0, pass
    jeq64 r6, 0, pass
    ldxdw r5, [r7+16]
    ldxw r3, [r7+24]
again:
    stxdw [r6+0], r5
    add64 r6, 8
    add64 r3, -1
    jne64 r3, 0, again
pass:
    mov64 r0, 2
    exit
"""
PATTERNS = {
    "zeroes": 0,
    "ones": 2**64 - 1,
    "links to the first place": 0x0000_0001_0000_0001,
    "links to the second place": 0x0000_0011_0000_0011,
    "small numbers": 0x0000_0007_0000_0003,
    "addresses of the guest": 0x0010_0200_0010_0200,
    "long records": 0x3FFF_FFFF_3FFF_FFFF,
    "text": 0x4141_4141_4141_4141,
}


def hostile(assembler: Assembler) -> bytes:
    choose = "".join(f"lddw_map r6, {number}\njeq64 r2, {number}, go\n" for number in range(len(MAPS)))
    return bundle_of(assembler.assemble(SPOIL.format(maps=choose))[0], MAPS, kind="filter", name="firewall")


def busy(assembler: Assembler) -> bytes:
    """Works on the same maps as a harmless program would."""
    code = "mov64 r0, 2\nstdw [r10-24], 5\nstdw [r10-16], 5\nstdw [r10-8], 32\n"
    for number, spec in enumerate(MAPS):
        if spec.type == 27:
            continue
        at = -8 if spec.type == 11 else -24
        code += f"lddw_map r1, {number}\nmov64 r2, r10\nadd64 r2, {at}\ncall_helper 1\n"
        code += f"lddw_map r1, {number}\nmov64 r2, r10\nadd64 r2, {at}\nmov64 r3, r2\nmov64 r4, 0\n"
        code += "call_helper 2\n" if spec.value_size <= 16 else "mov64 r0, 0\n"
    return bundle_of(assembler.assemble(f"{code}mov64 r0, 2\nexit\n")[0], MAPS, kind="filter", name="firewall")


def frame_of(number: int, word: int, pattern: int, count: int) -> bytes:
    frame = bytearray(60)
    frame[12:14] = b"\x88\xb5"
    frame[14], frame[15], frame[28] = TRIGGER, word, number
    frame[16:24] = pattern.to_bytes(8, "little")
    frame[24:28] = count.to_bytes(4, "little")
    return bytes(frame)


@dataclass
class Guest:
    channel: Channel
    inside: Wire
    outside: Wire
    said: Callable[[], str]
    boot: Boot

    def update(self, bundle: bytes) -> Any:
        return self.channel.request("PUT", "/elements/fw/program", signed_bundle(self.boot.sign(bundle), bundle))

    def fetch(self, name: str, element: str = "fw", **query: Any) -> Any:
        body = cbor.encode({{"cursor": 0, "most": 1, "key": 2}[word]: value for word, value in query.items()})
        return self.channel.request("FETCH", f"/elements/{element}/maps/{name}", body)

    def change(self, name: str, *changes: list[bytes], element: str = "fw") -> Any:
        return self.channel.request("POST", f"/elements/{element}/maps/{name}", cbor.encode({0: list(changes)}))


@pytest.fixture(params=["bare", "process"])
def start(request: pytest.FixtureRequest, bin_directory: Path, folder: Path) -> Any:
    @contextmanager
    def bare(boot: Boot) -> Iterator[Guest]:
        kernel = bin_directory / "unibpf-guest.elf"
        with running_vm(machine=MACHINE, kernel=kernel, image=boot.image(), folder=folder) as vm:
            vm.wait_for("unibpf ready")
            channel = Channel(("127.0.0.1", vm.control_port), control_mac.derive(boot.guest, boot.seed))
            with closing(channel), closing(vm.wire("inside")) as inside, closing(vm.wire("outside")) as outside:
                yield Guest(channel, inside, outside, vm.console.read_text, boot)

    @contextmanager
    def process(boot: Boot) -> Iterator[Guest]:
        vm: LinuxVm = request.getfixturevalue("linux_vm")
        vm.start("unibpf-guest", boot.image())
        vm.wait_for("unibpf ready")
        channel = Channel(("127.0.0.1", vm.control_port), control_mac.derive(boot.guest, boot.seed))
        with closing(channel):
            yield Guest(channel, vm.wires["inside"], vm.wires["outside"], vm.said, boot)

    return {"bare": bare, "process": process}[request.param]


def spoil(guest: Guest, pattern: int) -> None:
    """Every page whose address stands in a Map, and what follows it as far as the key goes."""
    for number in range(len(MAPS)):
        for count in (512, 20_000):
            guest.inside.send(*(frame_of(number, word, pattern, count) for word in range(WORDS)))
            guest.outside.receive(WORDS, seconds=0.2)  # what comes back; most of it does not


def key_of(spec: BundleMap) -> bytes:
    return KEYS[5].ljust(spec.key_size, b"\0")[: spec.key_size]


def work_on(guest: Guest, spec: BundleMap) -> None:
    """All that control can do with a map. Outcomes are whatever they are: junk is junk."""
    names = {"2.04", "2.05", "4.22", "5.00"}
    cursor = 0
    for _ in range(200):
        dumped = guest.fetch(spec.name, cursor=cursor) if spec.type != 27 else guest.fetch(spec.name)
        assert dumped.name in names
        assert dumped.authenticated
        cursor = dumped.body.get(6, 0)
        if cursor == 0:
            break
    if spec.type == 27:
        position = dumped.body[7]
        assert guest.channel.request("FETCH", "/elements/fw/maps/ring", cbor.encode({0: position})).authenticated
        return
    key, value = key_of(spec), bytes(spec.value_size)
    assert guest.fetch(spec.name, key=key).authenticated
    for changes in ([key, value], [key], [KEYS[1].ljust(spec.key_size, b"\1"), value]):
        assert guest.change(spec.name, changes).authenticated


def other_element(guest: Guest) -> Any:
    return [sorted(guest.fetch(spec.name, "back").body[4]) for spec in MAPS if spec.type != 27]


# The interpreter in the small Linux is left out: an emulated machine takes minutes for it.
@pytest.mark.parametrize(
    ("start", "engine"), [("bare", "jit"), ("bare", "interpreter"), ("process", "jit")], indirect=["start"]
)
def test_control_works_on_maps_that_are_full_of_junk_and_nothing_else_changes(
    start: Any, assembler: Assembler, engine: str
) -> None:
    bad, good = hostile(assembler), busy(assembler)
    boot = Boot(graph=GRAPH.format(engine=engine), programs={"fw": bad, "back": good})
    with start(boot) as guest:
        for spec in MAPS:
            if spec.type != 27:
                key = struct.pack("<I", 32).ljust(8, b"\7") if spec.type == 11 else key_of(spec)
                for element in ("fw", "back"):
                    assert guest.change(spec.name, [key, b"\3" * spec.value_size], element=element).name == "2.04"
        before = other_element(guest)
        faults = 0
        for name, pattern in PATTERNS.items():
            spoil(guest, pattern)
            status = guest.channel.status()
            drops = dict(map(tuple, next(row for row in status[4] if row[0] == "fw")[8]))
            assert drops["aborted"] > faults, f"{name}: no run has come to the end of its pages"
            faults = drops["aborted"]
            for spec in MAPS:
                work_on(guest, spec)
            assert guest.update(good).name == "2.04", name
            guest.inside.send(*[bytes(60)] * 40)
            guest.outside.receive(40, seconds=0.5)
            for spec in MAPS:
                work_on(guest, spec)
            assert guest.update(bad).name == "2.04", name
            assert guest.channel.request("POST", "/elements/fw/rollback").name == "2.04"
            assert guest.channel.request("POST", "/elements/fw/rollback").name == "2.04"
            assert other_element(guest) == before, name
            assert "panic" not in guest.said()
            assert "exception" not in guest.said()


# Looks through the page [16] for the word [24] and says where it is; without a page, where the Map is. The word comes masked:
# packets lie in memory too.
MASK = 0x5AA5_5AA5_5AA5_5AA5
SEARCH = """
    ldxw r7, [r1+0]
    ldxdw r6, [r7+16]
    jne64 r6, 0, search
    lddw_map r6, 0
    stxdw [r7+32], r6
    ja pass
search:
    ldxdw r5, [r7+24]
    lddw r3, {mask}
    xor64 r5, r3
    mov64 r3, 512
again:
    ldxdw r4, [r6+0]
    jeq64 r4, r5, found
    add64 r6, 8
    add64 r3, -1
    jne64 r3, 0, again
    ja pass
found:
    stxdw [r7+32], r6
pass:
    mov64 r0, 2
    exit
"""


def search_frame(page: int, word: bytes) -> bytes:
    masked = (int.from_bytes(word, "little") ^ MASK).to_bytes(8, "little")
    return bytes(12) + b"\x88\xb5" + bytes(2) + page.to_bytes(8, "little") + masked + bytes(28)


@pytest.mark.parametrize("isolation", ["pku", "none"])
@pytest.mark.parametrize("start", ["bare"], indirect=True)  # a process has other addresses
def test_a_program_that_reads_keys_ends(start: Any, assembler: Assembler, isolation: str) -> None:
    """It looks through the heap. Without isolation it finds the keys, so the search can; the seed is nowhere."""
    maps = (BundleMap(name="mine", type=2, key_size=4, value_size=8, max_entries=4),)
    bundle = bundle_of(assembler.assemble(SEARCH.format(mask=MASK))[0], maps, kind="filter", name="firewall")
    graph = GRAPH.format(engine="jit").replace("ISOLATION pku", f"ISOLATION {isolation}")
    boot = Boot(graph=graph, programs={"fw": bundle, "back": busy(assembler)})
    keys = control_mac.derive(boot.guest, boot.seed)
    words = {"to guest": keys.to_guest[8:16], "from guest": keys.from_guest[8:16], "seed": boot.seed[8:16]}
    with start(boot) as guest:
        guest.inside.send(search_frame(0, bytes(8)))
        (told,) = guest.outside.receive(1)
        base = int.from_bytes(told[32:40], "little") & ~4095
        found, ended = set(), 0
        for name, word in words.items():
            for first in range(-256, 384, 64):
                pages = [base + (first + at) * 4096 for at in range(64)]
                guest.inside.send(*(search_frame(page, word) for page in pages))
                got = guest.outside.receive(64, seconds=2 if isolation == "none" else 0.5)
                found |= {name for frame in got if frame[32:40] != bytes(8)}
                ended += 64 - len(got)
        assert found == ({"to guest", "from guest"} if isolation == "none" else set())
        assert (ended > 0) == (isolation == "pku")
        assert guest.channel.status()
