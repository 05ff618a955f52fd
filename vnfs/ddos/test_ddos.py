"""The guard: scapy's packets through the guest's engines and Linux; a client and a server that only see each other by it."""

import struct
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.support.kernel.function_runs import DROP, PASS, TX, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.scapy_frames import anew
from tests.support.programs.siphash import siphash24
from tests.support.programs.vnf import bundle_of
from unibpf.vnf.filling import fill

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
CLOCKED = ("connections", "buckets", "servers")
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
CLIENT, SERVER, CLIENT6, SERVER6 = "198.51.100.9", "192.0.2.1", "2001:db8:2::9", "2001:db8:1::7"
SECRET = bytes(range(16))
ALWAYS = f"""
secret = "{SECRET.hex()}"
[[server]]
prefix = "192.0.2.0/24"
[[server]]
prefix = "2001:db8:1::/48"
"""
ISN, SERVER_ISN = 0x12345678, 0xFFFFFFF0


@pytest.fixture(scope="module")
def bundle() -> bytes:
    # One period lasts for ever, so that the clocks of all engines are in the same one.
    return bundle_of(FOLDER / "program.c", "COOKIE_SECONDS=1000000000")


def presets(text: str = ALWAYS) -> list[Preset]:
    return [(name, key, value) for name, rows in fill("ddos", text.encode()).items() for key, value in rows]


def guarded(runner: Runner, bundle: bytes, packets: list[Packet | bytes], text: str = ALWAYS) -> Run:
    return run_alike(runner, bundle, packets, presets(text), clocked=CLOCKED)


def to_server(version: int = 4) -> Packet:
    return LINK / (IP(src=CLIENT, dst=SERVER) if version == 4 else IPv6(src=CLIENT6, dst=SERVER6))


def to_client(version: int = 4) -> Packet:
    return LINK / (IP(src=SERVER, dst=CLIENT) if version == 4 else IPv6(src=SERVER6, dst=CLIENT6))


def syn(version: int = 4, mss: int | None = 1400, isn: int = ISN) -> Packet:
    options = [("MSS", mss), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)] if mss else []
    return to_server(version) / TCP(sport=1000, dport=80, seq=isn, flags="S", options=options)


def cookie(version: int = 4, *, isn: int = ISN, mss_index: int = 4, period: int = 0) -> int:
    """What the guard would say, computed here."""
    low = period << 3 | mss_index
    ends = [bytes(10) + b"\xff\xff" + bytes(map(int, one.split("."))) for one in (CLIENT, SERVER)]
    if version == 6:
        packet = bytes(IPv6(src=CLIENT6, dst=SERVER6))
        ends = [packet[8:24], packet[24:40]]
    flow = b"".join(ends) + struct.pack(">HHHBB", 1000, 80, 0, 6, version)
    return (siphash24(SECRET, flow + struct.pack("<II", low, isn)) & 0xFFFFFF) << 8 | low


def ack(number: int, version: int = 4, payload: bytes = b"", isn: int = ISN) -> Packet:
    return to_server(version) / TCP(sport=1000, dport=80, seq=isn + 1, ack=(number + 1) % 2**32, flags="A") / payload


def answer(version: int = 4) -> Packet:
    return to_client(version) / TCP(
        sport=80, dport=1000, seq=SERVER_ISN, ack=ISN + 1, flags="SA", options=[("MSS", 1460)]
    )


def test_the_hash_here_is_the_published_one() -> None:
    assert siphash24(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5


@pytest.mark.parametrize("version", [4, 6])
def test_a_syn_is_answered_by_a_cookie_and_nothing_is_kept(version: int, runner: Runner, bundle: bytes) -> None:
    run = guarded(runner, bundle, [syn(version)])
    assert run.codes == [TX]
    frame = Ether(run.frames[0])
    assert (frame.src, frame.dst) == (LINK.dst, LINK.src)
    ip = frame.getlayer(1)
    assert (ip.src, ip.dst) == ((SERVER, CLIENT) if version == 4 else (SERVER6, CLIENT6))
    tcp = frame[TCP]
    assert (tcp.sport, tcp.dport, tcp.seq, tcp.ack) == (80, 1000, cookie(version), ISN + 1)
    assert (str(tcp.flags), tcp.options) == ("SA", [("MSS", 1460 if version == 4 else 1440)])
    assert anew(run.frames[0]) == run.frames[0]
    assert not run.maps["connections"]
    assert run.counters(REASONS) == {"COOKIE_SENT": 1}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("tagged", [False, True], ids=["plain", "VLAN"])
def test_a_handshake_by_cookie_opens_a_connection(version: int, tagged: bool, runner: Runner, bundle: bytes) -> None:
    def framed(packet: Packet) -> Packet:
        return LINK / Dot1Q(vlan=7) / packet.payload if tagged else packet

    first = Ether(guarded(runner, bundle, [framed(syn(version))]).frames[0])[TCP].seq
    early = b"GET /, before the server has answered"
    packets = [
        framed(packet)
        for packet in (
            ack(first, version, early),
            answer(version),
            ack(first, version, early),
            to_client(version)
            / TCP(sport=80, dport=1000, seq=SERVER_ISN + 1, ack=ISN + 38, flags="PA")
            / (b"data" * 10),
            to_client(version) / TCP(sport=80, dport=1000, seq=(SERVER_ISN + 41) % 2**32, ack=ISN + 38, flags="FA"),
            ack((first + 41) % 2**32, version),
        )
    ]
    run = guarded(runner, bundle, packets)
    assert run.codes == [PASS, TX, PASS, PASS, PASS, PASS]
    assert [anew(frame) for frame in run.frames] == run.frames
    begin, done, request, data, end, last = (Ether(frame)[TCP] for frame in run.frames)
    assert (begin.seq, str(begin.flags), begin.options, bytes(begin.payload)) == (ISN, "S", [("MSS", 1400)], b"")
    assert (done.sport, done.dport, done.seq, done.ack, str(done.flags)) == (1000, 80, ISN + 1, SERVER_ISN + 1, "A")
    assert (request.seq, request.ack, bytes(request.payload)) == (ISN + 1, SERVER_ISN + 1, early)
    assert (data.seq, data.ack, bytes(data.payload)) == ((first + 1) % 2**32, ISN + 38, b"data" * 10)
    assert (end.seq, last.ack) == ((first + 41) % 2**32, (SERVER_ISN + 42) % 2**32)
    assert run.counters(REASONS) == {"COOKIE_GOOD": 1, "HANDSHAKE_DONE": 1, "TO_SERVER": 2, "TO_CLIENT": 2}


def test_only_a_cookie_of_this_client_and_time_is_good(runner: Runner, bundle: bytes) -> None:
    good = [cookie(), cookie(period=31)]
    bad = [cookie() ^ 1 << 8, cookie() ^ 1, cookie(period=30), cookie(period=1), cookie(isn=ISN + 1), cookie(6), 0]
    for number in good:
        assert guarded(runner, bundle, [ack(number)]).counters(REASONS) == {"COOKIE_GOOD": 1}
    run = guarded(runner, bundle, [ack(number) for number in bad])
    assert run.codes == [DROP] * len(bad)
    assert run.counters(REASONS) == {"COOKIE_BAD": len(bad)}


@pytest.mark.parametrize(
    ("mss", "index"), [(None, 0), (535, 0), (536, 0), (1219, 1), (1220, 2), (1460, 6), (1500, 6), (9000, 7)]
)
def test_the_server_learns_the_clients_segment_size(mss: int | None, index: int, runner: Runner, bundle: bytes) -> None:
    sizes = [536, 1024, 1220, 1360, 1400, 1440, 1460, 8960]
    number = Ether(guarded(runner, bundle, [syn(mss=mss)]).frames[0])[TCP].seq
    assert number == cookie(mss_index=index)
    begin = Ether(guarded(runner, bundle, [ack(number)]).frames[0])[TCP]
    assert begin.options == [("MSS", sizes[index])]


def test_a_lost_syn_is_sent_again_with_what_the_client_repeats(runner: Runner, bundle: bytes) -> None:
    run = guarded(runner, bundle, [ack(cookie()), ack(cookie(), payload=b"data"), answer(), answer()])
    assert run.codes == [PASS, PASS, TX, TX]
    assert [str(Ether(frame)[TCP].flags) for frame in run.frames] == ["S", "S", "A", "A"]
    assert run.frames[0] == run.frames[1]
    assert run.counters(REASONS) == {"COOKIE_GOOD": 1, "EARLY": 1, "HANDSHAKE_DONE": 2}


def test_a_server_that_refuses_says_so_to_the_client(runner: Runner, bundle: bytes) -> None:
    refusal = to_client() / TCP(sport=80, dport=1000, seq=0, ack=ISN + 1, flags="RA")
    challenge = to_client() / TCP(sport=80, dport=1000, seq=77, ack=99, flags="A")
    run = guarded(runner, bundle, [ack(cookie()), challenge, refusal])
    assert run.codes == [PASS, DROP, PASS]
    assert Ether(run.frames[2])[TCP].seq == cookie() + 1
    assert anew(run.frames[2]) == run.frames[2]


def test_the_ports_of_a_closed_connection_begin_anew_and_an_open_one_cannot_be_reset_by_a_syn(
    runner: Runner, bundle: bytes
) -> None:
    opened: list[Packet | bytes] = [ack(cookie()), answer()]
    close = to_client() / TCP(sport=80, dport=1000, seq=SERVER_ISN + 1, ack=ISN + 1, flags="R")
    assert guarded(runner, bundle, [*opened, syn()]).codes == [PASS, TX, PASS]
    assert guarded(runner, bundle, [*opened, close, syn()]).codes == [PASS, TX, PASS, TX]


def test_cookies_may_wait_for_a_flood(runner: Runner, bundle: bytes) -> None:
    text = ALWAYS.replace("[[server]]", '[[server]]\nmode = "above-rate"\nrate = 3')
    run = guarded(runner, bundle, [*[syn(isn=number) for number in range(5)], ack(77), ack(cookie())], text)
    assert run.codes == [PASS] * 3 + [TX] * 2 + [PASS] * 2
    assert run.counters(REASONS) == {"PASSED": 4, "COOKIE_SENT": 2, "COOKIE_GOOD": 1}
    never = ALWAYS.replace("[[server]]", '[[server]]\nmode = "never"')
    assert guarded(runner, bundle, [syn(), ack(77)], never).counters(REASONS) == {"PASSED": 2}


LISTS = """
[[list]]
prefix = "198.51.0.0/16"
action = "block"
[[list]]
prefix = "198.51.100.8/31"
action = "allow"
[[list]]
prefix = "2001:db8:2::/48"
action = "block"
"""


def test_the_longest_prefix_of_the_list_decides(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IP(src=source, dst=SERVER) / UDP() for source in ("198.51.100.10", CLIENT, "198.52.0.1")]
    run = guarded(runner, bundle, [*packets, LINK / IPv6(src=CLIENT6, dst=SERVER6) / UDP(), syn()], ALWAYS + LISTS)
    assert run.codes == [DROP, PASS, PASS, DROP, PASS]
    assert run.counters(REASONS) == {"BLOCKED": 2, "ALLOWED": 2, "PASSED": 1}
    counts = {key[:4] + key[-4:]: struct.unpack_from("<Q", value)[0] for key, value in run.maps["lists"].items()}
    assert counts[struct.pack("<I", 112) + bytes([198, 51, 0, 0])] == 1


LIMITS = """
[[limit]]
prefix = "0.0.0.0/0"
rate = 0
burst = 2
[[limit]]
prefix = "198.51.100.0/24"
rate = 0
burst = 3
bits = 24
[[limit]]
prefix = "::/0"
rate = 0
burst = 1
bits = 64
"""


def test_sources_are_limited_alone_or_together(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IP(src=f"203.0.113.{n}", dst=SERVER) / UDP() for n in (1, 1, 1, 2)]
    packets += [LINK / IP(src=f"198.51.100.{n}", dst=SERVER) / UDP() for n in (1, 2, 3, 4)]
    packets += [LINK / IPv6(src=f"2001:db8:9:{net}::{n}", dst=SERVER6) / UDP() for net, n in ((1, 1), (1, 2), (2, 1))]
    packets += [to_client() / UDP()] * 5
    run = guarded(runner, bundle, packets, ALWAYS + LIMITS)
    assert run.codes == [PASS, PASS, DROP, PASS, PASS, PASS, PASS, DROP, PASS, DROP, PASS] + [PASS] * 5
    assert run.counters(REASONS) == {"PASSED": 13, "LIMITED": 3}


def test_tokens_come_back_with_time(runner: Runner, bundle: bytes) -> None:
    text = '[[limit]]\nprefix = "0.0.0.0/0"\nrate = 100000000\nburst = 1'
    reports = runner.run(bundle, [bytes(to_server() / UDP())] * 500, presets=presets(text))
    codes = [report["verdict_code"] for report in reports]
    assert codes.count(PASS) > 100


def test_what_is_cut_short_or_contradicts_itself_ends_here(runner: Runner, bundle: bytes) -> None:
    short = cut_short(
        [
            to_server() / TCP(flags="S", options=[("MSS", 1460)]),
            LINK / Dot1Q() / IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrDestOpt() / TCP(flags="S"),
        ]
    )
    bad_header = [
        to_server() / TCP(flags="S", dataofs=4),
        to_server() / TCP(flags="S", dataofs=15),
        LINK / IP(src=CLIENT, dst=SERVER, version=5) / TCP(),
        LINK / Dot1Q() / Dot1Q() / Dot1Q() / IP() / UDP(),
    ]
    others = [to_server() / TCP(flags="SF"), LINK / IP(src=CLIENT, dst=SERVER, flags="MF") / TCP(), LINK / ARP()]
    run = guarded(runner, bundle, [*short, *bad_header, *others])
    assert run.codes == [DROP] * (len(short) + 6) + [PASS]
    expected = {"TRUNCATED": len(short), "BAD_HEADER": 4, "BAD_FLAGS": 1, "TCP_FRAGMENT": 1, "NOT_IP": 1}
    assert run.counters(REASONS) == expected


# Options of a SYN that contradict themselves: each is answered all the same, with the least size.
OPTIONS = ["02", "0200", "0204", "020405", "0101010101010101", "ff00", "0300020405b4", "00020405b4"]


@pytest.mark.parametrize("options", OPTIONS)
def test_any_options_of_a_syn_are_survived(options: str, runner: Runner, bundle: bytes) -> None:
    data = bytes.fromhex(options)
    data += bytes(-len(data) % 4)
    packet = to_server() / TCP(sport=1000, dport=80, seq=ISN, flags="S", dataofs=5 + len(data) // 4) / Raw(data)
    run = guarded(runner, bundle, [packet])
    assert run.codes == [TX]
    assert anew(run.frames[0]) == run.frames[0]


def test_a_syn_after_ip_options_is_answered_behind_them(runner: Runner, bundle: bytes) -> None:
    packet = LINK / IP(src=CLIENT, dst=SERVER, options=[IPOption_Router_Alert()]) / syn()[TCP]
    run = guarded(runner, bundle, [packet])
    assert run.codes == [TX]
    assert anew(run.frames[0]) == run.frames[0]


def test_the_example_is_understood(runner: Runner, bundle: bytes) -> None:
    assert guarded(runner, bundle, [syn()], (FOLDER / "settings.toml").read_text()).codes == [PASS]
