"""The access concentrator: a host made of scapy dials in, step by step, in the guest's engines and Linux; GRE in a guest."""

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from msgspec.structs import replace
from scapy.layers.inet import GRE, IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.ppp import (
    PPP,
    PPP_IPCP,
    PPP_IPCP_Option_DNS1,
    PPP_IPCP_Option_IPAddress,
    PPP_LCP_Auth_Protocol_Option,
    PPP_LCP_Configure,
    PPP_LCP_Echo,
    PPP_LCP_Magic_Number_Option,
    PPP_LCP_MRU_Option,
    PPP_LCP_Protocol_Reject,
    PPP_LCP_Terminate,
    PPPoE,
    PPPoED,
    PPPoED_Tags,
    PPPoETag,
)
from scapy.packet import Packet, Raw

from tests.support.guests.function_guest import FunctionGuest, running_function
from tests.support.kernel.function_runs import DROP, PASS, TX, Preset, Run, cut_short, in_engine, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of
from unibpf.formats.bundle import decode, encode

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
CLOCKED = ("sessions",)
HOST, ACCESS, CORE, GATEWAY = (f"02:00:00:00:00:0{digit}" for digit in "1abc")
POOL, AC, SERVER = "10.64.0.0", "10.255.0.1", "198.51.100.9"
PADI, PADO, PADR, PADS, PADT = 0x09, 0x07, 0x19, 0x65, 0xA7
REQUEST, ACK, NAK, REJECT, TERMINATE, TERMINATED = range(1, 7)
SECRET = bytes(range(16))


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def config(*, must_be_known: int = 0) -> Preset:
    value = mac(ACCESS) + mac(CORE) + mac(GATEWAY) + struct.pack("<H", must_be_known)
    return ("config", bytes(4), value + IPv4Address(AC).packed + IPv4Address(POOL).packed + bytes(4) + SECRET)


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "SESSIONS=16")


def run(runner: Runner, bundle: bytes, packets: Sequence[Packet | bytes], *presets: Preset) -> Run:
    return run_alike(runner, bundle, packets, presets or [config()], clocked=CLOCKED)


def tags_of(packet: Packet) -> dict[int, bytes]:
    return {tag.tag_type: bytes(tag.tag_value) for tag in packet[PPPoED_Tags].tag_list}


class Host:
    """Dials in: says a packet, hears the answer, keeps what it was told."""

    def __init__(self, runner: Runner, bundle: bytes, *, address: str = HOST, vlans: Sequence[int] = ()) -> None:
        self.runner, self.bundle, self.address, self.vlans = runner, bundle, address, vlans
        self.said: list[bytes] = []
        self.session = 0

    def link(self, to: str = ACCESS) -> Packet:
        frame = Ether(src=self.address, dst=to)
        for vlan in self.vlans:
            frame /= Dot1Q(vlan=vlan)
        return frame

    def say(self, packet: Packet) -> Packet | None:
        self.said.append(bytes(packet))
        done = in_engine(self.runner, self.bundle, self.said, [config()], "jit")
        return Ether(done.frames[-1]) if done.codes[-1] == TX else None

    def discovery(self, code: int, *tags: tuple[int, bytes], to: str = ACCESS) -> Packet:
        rows = [PPPoETag(tag_type=kind, tag_value=value) for kind, value in ((0x0101, b""), *tags)]
        return self.link(to) / PPPoED(code=code) / PPPoED_Tags(tag_list=rows)

    def discover(self) -> Packet:
        offered = self.say(self.discovery(PADI, (0x0103, b"mine"), to="ff:ff:ff:ff:ff:ff"))
        assert offered
        cookie = tags_of(offered)[0x0104]
        opened = self.say(self.discovery(PADR, (0x0103, b"mine"), (0x0104, cookie)))
        assert opened
        self.session = opened[PPPoED].sessionid
        return offered

    def ppp(self, protocol: int, message: Packet | bytes) -> Packet:
        return self.link() / PPPoE(sessionid=self.session) / PPP(proto=protocol) / message

    def lcp(self, code: int, *options: Packet, number: int = 1) -> Packet:
        return self.ppp(0xC021, PPP_LCP_Configure(code=code, id=number, options=list(options)))

    def ipcp(self, code: int, *options: Packet, number: int = 1) -> Packet:
        return self.ppp(0x8021, PPP_IPCP(code=code, id=number, options=list(options)))

    def open_link(self) -> None:
        theirs = self.say(self.lcp(REQUEST, PPP_LCP_MRU_Option(max_recv_unit=1492)))
        assert theirs
        assert theirs[PPP_LCP_Configure].code == REQUEST
        acknowledged = self.say(self.lcp(ACK, *theirs[PPP_LCP_Configure].options, number=theirs[PPP_LCP_Configure].id))
        assert acknowledged
        assert (acknowledged[PPP_LCP_Configure].code, acknowledged[PPP_LCP_Configure].id) == (ACK, 1)

    def get_address(self) -> str:
        told = self.say(self.ipcp(REQUEST, PPP_IPCP_Option_IPAddress(data="0.0.0.0")))
        assert told
        assert told[PPP_IPCP].code == NAK
        address = str(told[PPP_IPCP].options[0].data)
        theirs = self.say(self.ipcp(REQUEST, PPP_IPCP_Option_IPAddress(data=address), number=2))
        assert theirs
        assert (theirs[PPP_IPCP].code, theirs[PPP_IPCP].options[0].data) == (REQUEST, AC)
        acknowledged = self.say(self.ipcp(ACK, *theirs[PPP_IPCP].options, number=theirs[PPP_IPCP].id))
        assert acknowledged
        assert (acknowledged[PPP_IPCP].code, acknowledged[PPP_IPCP].id) == (ACK, 2)
        assert acknowledged[PPP_IPCP].options[0].data == address
        return address

    def dial(self) -> str:
        self.discover()
        self.open_link()
        return self.get_address()


def test_a_host_is_offered_a_concentrator_and_gets_its_tags_back(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    offered = host.discover()
    assert (offered.src, offered.dst, offered[PPPoED].code) == (ACCESS, HOST, PADO)
    tags = tags_of(offered)
    assert tags.pop(0x0104) != bytes(8)
    assert tags == {0x0101: b"", 0x0103: b"mine", 0x0102: b"unibpf"}
    done = run(runner, bundle, host.said)
    opened = Ether(done.frames[1])
    assert (opened[PPPoED].code, opened.src, opened.dst) == (PADS, ACCESS, HOST)
    assert 1 <= opened[PPPoED].sessionid < 16
    assert tags_of(opened)[0x0103] == b"mine"
    assert done.counters(REASONS) == {"OFFERED": 1, "OPENED": 1}


@pytest.mark.parametrize("vlans", [(), (7,), (7, 8)], ids=["untagged", "VLAN", "QinQ"])
def test_a_host_dials_in_and_sends_and_receives(vlans: Sequence[int], runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle, vlans=vlans)
    address = host.dial()
    assert int(IPv4Address(address)) == int(IPv4Address(POOL)) + host.session
    up = IP(src=address, dst=SERVER) / UDP(sport=1, dport=2) / b"up"
    down = IP(src=SERVER, dst=address) / UDP(sport=2, dport=1) / b"down"
    packets = [*host.said, bytes(host.ppp(0x0021, up)) + bytes(9), bytes(Ether() / down) + bytes(7)]
    done = run(runner, bundle, packets)
    assert done.codes == [TX] * (len(packets) - 2) + [PASS, TX]
    assert done.frames[-2] == bytes(Ether(src=CORE, dst=GATEWAY) / up)
    back = host.link()
    back.src, back.dst = ACCESS, HOST
    assert done.frames[-1] == bytes(back / PPPoE(sessionid=host.session) / PPP(proto=0x0021) / down)
    session = done.maps["sessions"][struct.pack("<I", host.session)]
    assert struct.unpack("<4Q", session[-32:]) == (1, len(up), 1, len(down))
    assert done.counters(REASONS) == {"OFFERED": 1, "OPENED": 1, "CONTROL": 5, "UP": 1, "DOWN": 1}


def test_nobody_sends_before_the_link_is_open_or_with_anothers_address(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    address = host.dial()
    packet = IP(src=address, dst=SERVER) / UDP()
    early = [*host.said[:2], host.ppp(0x0021, packet), host.ipcp(REQUEST)]
    assert run(runner, bundle, early).counters(REASONS)["NOT_OPEN"] == 2
    stranger = host.ppp(0x0021, packet)
    stranger.src = "02:00:00:00:00:66"
    spoofed = host.ppp(0x0021, IP(src="10.64.0.99", dst=SERVER) / UDP())
    done = run(runner, bundle, [*host.said, stranger, spoofed])
    assert done.codes[-2:] == [DROP, DROP]
    counters = done.counters(REASONS)
    assert (counters["UNKNOWN_SESSION"], counters["SPOOFED"]) == (1, 1)


def test_options_that_nobody_knows_are_rejected_one_by_one(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    host.discover()
    auth = PPP_LCP_Auth_Protocol_Option(auth_protocol="Password authentication protocol")
    answer = host.say(host.lcp(REQUEST, PPP_LCP_Magic_Number_Option(magic_number=7), auth))
    assert answer
    assert (answer[PPP_LCP_Configure].code, bytes(answer[PPP_LCP_Configure].options[0])) == (REJECT, bytes(auth))
    host.open_link()
    wanted = [PPP_IPCP_Option_IPAddress(data="0.0.0.0"), PPP_IPCP_Option_DNS1(data="0.0.0.0")]
    answer = host.say(host.ipcp(REQUEST, *wanted))
    assert answer
    assert (answer[PPP_IPCP].code, bytes(answer[PPP_IPCP].options[0])) == (REJECT, bytes(wanted[1]))
    host.get_address()
    assert set(run(runner, bundle, host.said).codes) == {TX}


def test_a_peer_that_refuses_our_options_gets_a_request_without(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    host.discover()
    theirs = host.say(host.lcp(REQUEST))
    assert theirs
    request = theirs[PPP_LCP_Configure]
    again = host.say(host.lcp(REJECT, *request.options, number=request.id))
    assert again
    assert again[PPP_LCP_Configure].options == []
    acknowledged = host.say(host.lcp(ACK, number=again[PPP_LCP_Configure].id))
    assert acknowledged
    assert acknowledged[PPP_LCP_Configure].code == ACK
    assert set(run(runner, bundle, host.said).codes) == {TX}


def test_echoes_are_answered_and_unknown_protocols_rejected(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    host.dial()
    echo = host.say(host.ppp(0xC021, PPP_LCP_Echo(code=9, id=5, magic_number=1, data=b"there?")))
    assert echo
    assert (echo[PPP_LCP_Echo].code, echo[PPP_LCP_Echo].id, echo[PPP_LCP_Echo].data) == (10, 5, b"there?")
    assert echo[PPP_LCP_Echo].magic_number != 1
    rejected = host.say(host.ppp(0x8057, b"\x01\x01\x00\x04"))
    assert rejected
    assert rejected[PPP_LCP_Protocol_Reject].rejected_protocol == 0x8057
    run(runner, bundle, host.said)


@pytest.mark.parametrize("how", ["PADT", "LCP"])
def test_a_session_ends_when_its_host_says_so(how: str, runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    address = host.dial()
    end = host.link() / PPPoED(code=PADT, sessionid=host.session)
    if how == "LCP":
        end = host.ppp(0xC021, PPP_LCP_Terminate(code=TERMINATE, id=9))
    stranger = Ether(bytes(end))
    stranger.src = "02:00:00:00:00:66"
    after = host.ppp(0x0021, IP(src=address, dst=SERVER) / UDP())
    done = run(runner, bundle, [*host.said, stranger, after, end, after, Ether() / IP(dst=address) / UDP()])
    assert done.codes[-5:] == [DROP, PASS, DROP if how == "PADT" else TX, DROP, DROP]
    counters = done.counters(REASONS)
    assert (counters["TERMINATED"], counters["NOT_OURS"], counters["UNKNOWN_SESSION"]) == (1, 1, 2)


def test_who_shows_no_cookie_of_ours_gets_no_session(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    cookie = tags_of(host.discover())[0x0104]
    stranger = Host(runner, bundle, address="02:00:00:00:00:66")
    packets = [
        host.discovery(PADR),
        host.discovery(PADR, (0x0104, bytes(8))),
        host.discovery(PADR, (0x0104, cookie[:7])),
        stranger.discovery(PADR, (0x0104, cookie)),
    ]
    done = run(runner, bundle, packets)
    assert done.codes == [DROP] * 4
    assert done.counters(REASONS) == {"BAD_COOKIE": 4}


def test_hosts_may_have_to_be_known(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle, vlans=[7])
    known = ("subscribers", mac(HOST) + struct.pack("<H", 7), bytes(4))
    hello = host.discovery(PADI)
    assert run(runner, bundle, [hello], config(must_be_known=1)).counters(REASONS) == {"NOT_ALLOWED": 1}
    assert run(runner, bundle, [hello], config(must_be_known=1), known).counters(REASONS) == {"OFFERED": 1}


def test_a_host_that_dials_again_has_its_session_and_numbers_run_out(runner: Runner) -> None:
    small = bundle_of(FOLDER / "program.c", "SESSIONS=4", "TRIES=3")
    said = []
    for number in range(5):
        host = Host(runner, small, address=f"02:00:00:00:01:0{number}")
        offered = host.say(host.discovery(PADI))
        assert offered
        said.append(host.discovery(PADR, (0x0104, tags_of(offered)[0x0104])))
    done = run(runner, small, [*said[:3], said[1], *said[3:]])
    numbers = [Ether(frame)[PPPoED].sessionid for frame in done.frames[:4]]
    assert sorted(numbers[:3]) == [1, 2, 3]
    assert numbers[3] == numbers[1]
    assert done.codes[4:] == [DROP, DROP]
    assert done.counters(REASONS) == {"OPENED": 4, "NO_SESSIONS_LEFT": 2}
    hasty = bundle_of(FOLDER / "program.c", "SESSIONS=4", "TRIES=3", "SESSION_SECONDS=0")
    assert run(runner, hasty, said).counters(REASONS) == {"OPENED": 5}


def test_tcp_learns_how_much_fits(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    address = host.dial()
    options = [[("MSS", 1460)], [("NOP", None), ("MSS", 1460)], [("SAckOK", b""), ("MSS", 1400)], [("NOP", None)] * 2]
    up = [IP(src=address, dst=SERVER) / TCP(flags="S", options=one) for one in options]
    down = [Ether() / IP(src=SERVER, dst=address) / TCP(flags=flags, options=options[0]) for flags in ("SA", "A")]
    done = run(runner, bundle, [*host.said, *(host.ppp(0x0021, one) for one in up), *down])
    frames = done.frames[len(host.said) :]
    sent = [Ether(frame)[TCP] for frame in frames]
    assert [dict(one.options).get("MSS") for one in sent] == [1452, 1452, 1400, None, 1452, 1460]
    for frame in frames:
        again = Ether(frame)
        del again[TCP].chksum
        assert bytes(again) == frame
    assert done.counters(REASONS)["CLAMPED"] == 3


def test_what_is_too_big_or_nobodys_is_dropped(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    address = host.dial()
    fits, larger = (Ether() / IP(src=SERVER, dst=address) / UDP() / Raw(bytes(size)) for size in (1464, 1465))
    others = [Ether() / IP(dst="10.64.0.0"), Ether() / IP(dst="10.64.9.9"), Ether(type=0x86DD) / bytes(40)]
    done = run(runner, bundle, [*host.said, fits, larger, *others])
    assert done.codes[len(host.said) :] == [TX, DROP, DROP, DROP, DROP]
    counters = done.counters(REASONS)
    assert (counters["TOO_BIG"], counters["NOT_OURS"]) == (1, 3)


def test_without_configuration_nobody_is_served(runner: Runner, bundle: bytes) -> None:
    silent = ("config", bytes(4), bytes(48))
    assert run(runner, bundle, [Host(runner, bundle).discovery(PADI)], silent).counters(REASONS) == {"NOT_OURS": 1}


def test_discovery_that_makes_no_sense_is_dropped(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    good = host.discovery(PADI, (0x0103, b"mine"))
    wrong = [host.discovery(0x55), host.discovery(PADO), good.copy(), good.copy(), good.copy(), good.copy()]
    wrong[2][PPPoED].version = 2
    wrong[3][PPPoED].sessionid = 3
    wrong[4].src = "03:00:00:00:00:01"
    wrong[5][PPPoED_Tags].tag_list[1].tag_len = 99
    many = host.discovery(PADI, *[(0x0103, b"")] * 20)
    done = run(runner, bundle, [*wrong, many])
    assert done.counters(REASONS) == {"BAD_DISCOVERY": 7}


def test_what_is_cut_short_is_dropped(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    address = host.dial()
    whole = [
        host.discovery(PADI, (0x0103, b"mine")),
        host.lcp(REQUEST, PPP_LCP_MRU_Option()),
        host.ppp(0x0021, IP(src=address, dst=SERVER) / UDP()),
        Ether() / IP(dst=address) / UDP(),
    ]
    short = cut_short(whole)
    done = run(runner, bundle, [*host.said, *short])
    assert done.codes[len(host.said) :] == [DROP] * len(short)
    assert done.counters(REASONS)["TRUNCATED"] == len(short)


def test_control_messages_that_make_no_sense_are_dropped(runner: Runner, bundle: bytes) -> None:
    host = Host(runner, bundle)
    host.discover()
    strange = [
        b"\x01\x01\x00\x03",
        b"\x01\x01\x00\x09\x01\x04\x05\xd4",
        b"\x01\x01\x00\x06\x01\x00",
        b"\x63\x01\x00\x04",
    ]
    strange += [b"\x01\x01\x00\x06\x01\x05", b"\x01\x01" + struct.pack(">H", 44) + b"\x01\x04\x05\xd4" * 10]
    done = run(runner, bundle, [*host.said, *(host.ppp(0xC021, one) for one in strange)])
    assert done.codes[2:] == [DROP] * len(strange)
    assert done.counters(REASONS)["BAD_CONTROL"] == len(strange)


def test_in_a_guest_sessions_go_to_the_core_by_gre(bin_directory: Path) -> None:
    tunnels = bundle_of(FOLDER.parent / "tunnel/program.c", "FOREIGN=XDP_PASS", "TUNNELS=8", "ROUTES=8")
    through = encode(replace(decode(tunnels), name="tunnel-through"))
    with running_function(FOLDER, "process", bin_directory, others={"tunnel-through": through}) as guest:
        guest.set("bras", *config())
        host = LiveHost(guest)
        address = host.dial()
        up = IP(src=address, dst=SERVER, ttl=9) / UDP(sport=1, dport=2) / b"up"
        guest.send("access", host.ppp(0x0021, up))
        assert guest.receive("core") == bytes(Ether(src=CORE, dst=GATEWAY) / up)

        local, remote = (bytes(10) + b"\xff\xff" + IPv4Address(end).packed for end in ("192.0.2.1", "192.0.2.2"))
        tunnel = struct.pack("<BBHI", 2, 4, 0, 0) + local + remote + mac(CORE) + mac(GATEWAY) + bytes(12)
        tunnel += struct.pack("<BBHB11x4Q", 0, 0, 0, 0, 0, 0, 0, 0)
        guest.set("into_gre", "tunnels", bytes(4), tunnel)
        guest.set("into_gre", "routes4", bytes(8), bytes(4))
        guest.send("access", host.ppp(0x0021, up))
        wrapped = guest.receive("core")
        assert wrapped
        assert (Ether(wrapped)[IP].dst, bytes(Ether(wrapped)[GRE].payload)[8:9]) == ("192.0.2.2", b"\x08")

        guest.set("out_of_gre", "tunnels", bytes(4), tunnel)
        guest.set("out_of_gre", "endpoints", local + remote + struct.pack("<II", 0, 2 + 256), bytes(4))
        down = IP(src=SERVER, dst=address) / UDP(sport=2, dport=1) / b"down"
        guest.send("core", Ether() / IP(src="192.0.2.2", dst="192.0.2.1") / GRE() / down)
        came = guest.receive("access")
        assert came
        assert bytes(Ether(came)[PPP].payload) == bytes(down)


class LiveHost(Host):
    """The same host on a guest's wire."""

    def __init__(self, guest: FunctionGuest) -> None:
        self.guest, self.address, self.vlans, self.session = guest, HOST, (), 0

    def say(self, packet: Packet) -> Packet | None:
        self.guest.send("access", packet)
        answer = self.guest.receive("access")
        return Ether(answer) if answer else None
