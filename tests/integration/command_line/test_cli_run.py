"""`unibpf run` as a user calls it: the real front end and the guest's real engines, each in its process."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.bad_objects import DEFECTS, make
from tests.support.programs.programs import FOLDER
from tests.support.programs.vnf import ipv4
from tests.support.services.cli import Answer, Cli
from unibpf.formats import pcap

ROOT = Path(__file__).parents[3]
FIREWALL = ROOT / "vnfs/firewall/program.c"
TELNET, WEB = ipv4(protocol=6, port=23), ipv4(protocol=6, port=443)
PASS, DROP = 2, 1
OUTSIDE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int outside(struct xdp_md *ctx)
{
	volatile char *data = (void *)(long)ctx->data;
	return data[4000];
}
char LICENSE[] SEC("license") = "Apache-2.0";
"""


SIZED = ("--max-entries", "events=4096")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "state")


def run(cli: Cli, *words: object, code: int = 0) -> Answer:
    found = cli.run("run", *map(str, words), ok=False)
    assert found.code == code, found.err
    return found


def reports(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.out.splitlines()]


def hits(report: dict[str, Any]) -> list[int]:
    entries = report["maps"]["rule_hits"]["entries"]
    return [int.from_bytes(bytes.fromhex(entry["value"])[:8], "little") for entry in entries][:3]


@pytest.mark.parametrize("engine", ["interpreter", "jit"])
def test_each_engine_runs_the_packets_on_the_same_maps(engine: str, cli: Cli) -> None:
    words = ["--packet", TELNET.hex(), "--packet", WEB.hex(), "--engine", engine, "--maps", "--json"]
    first, last = reports(run(cli, FIREWALL, *words))
    assert (first["verdict"], first["verdict_code"], first["engine"]) == ("XDP_DROP", DROP, engine)
    assert (last["verdict"], last["verdict_code"], last["packet"]) == ("XDP_PASS", PASS, WEB.hex())
    assert "maps" not in first
    assert hits(last) == [1, 1, 0]
    assert last["ns"] > 0
    assert (last["instructions"] > 0) == (
        engine == "interpreter"
    )  # native code counts jumps backwards and calls: it has none


def test_a_capture_follows_the_packets_and_each_is_repeated(cli: Cli, tmp_path: Path) -> None:
    records = [struct.pack(">IIII", 0, 0, len(one), len(one)) + one for one in (WEB, TELNET)]
    (tmp_path / "c.pcap").write_bytes(struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    words = ["--packet", TELNET.hex(), "--pcap", tmp_path / "c.pcap", "--repeat", 5, "--maps", "--json"]
    found = reports(run(cli, FIREWALL, *words))
    assert [one["verdict_code"] for one in found] == [DROP, PASS, DROP]
    assert hits(found[-1]) == [5, 10, 0]


def test_what_leaves_becomes_a_capture_and_packets_are_numbered_and_counted(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in.pcap").write_bytes(pcap.encode([WEB, TELNET, WEB]))
    words = ["-D", "CLOSED_PORT=443", "--pcap", tmp_path / "in.pcap", "--pcap-out", tmp_path / "out.pcap"]
    lines = run(cli, FIREWALL, *words).out.splitlines()
    assert [line.split(" (")[0] for line in lines[0:6:2]] == ["1: XDP_PASS", "2: XDP_DROP", "3: XDP_PASS"]
    assert lines[-1] == "3 packets: 1 XDP_DROP, 2 XDP_PASS"
    assert pcap.packets((tmp_path / "out.pcap").read_bytes()) == [WEB, WEB]
    refused = run(cli, FIREWALL, *words[:-1], tmp_path / "no" / "folder", code=2)
    assert "cannot be written" in refused.err


def test_a_capture_of_the_newer_format_is_read_too(cli: Cli, tmp_path: Path) -> None:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + length + body + length

    head = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 0))
    records = [block(6, struct.pack("<IIIII", 0, 0, 0, len(one), len(one)) + one) for one in (WEB, TELNET)]
    (tmp_path / "c.pcapng").write_bytes(head + b"".join(records))
    found = reports(run(cli, FIREWALL, "--pcap", tmp_path / "c.pcapng", "--json"))
    assert [one["verdict_code"] for one in found] == [PASS, DROP]


REDIRECT = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");
SEC("xdp") int redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&ports, 1, XDP_DROP);
}
"""


@pytest.fixture
def redirect(tmp_path: Path) -> Path:
    path = tmp_path / "redirect.c"
    path.write_text(REDIRECT)
    return path


def test_maps_can_be_filled_and_a_redirect_says_its_port(cli: Cli, redirect: Path) -> None:
    empty = reports(run(cli, redirect, "--json"))[0]
    assert (empty["verdict"], empty["redirect_port"]) == ("XDP_DROP", None)
    found = reports(run(cli, redirect, "--map", "ports:1=3", "--maps", "--json"))[0]
    assert (found["verdict"], found["verdict_code"], found["redirect_port"]) == ("XDP_REDIRECT", 4, 3)
    assert found["maps"]["ports"]["entries"] == [{"key": "01000000", "value": "03000000"}]
    assert run(cli, redirect, "--map", "ports:1=3").out.startswith("XDP_REDIRECT to port 3 (r0 = 4), ")


def test_what_a_run_printed_fills_the_maps_of_the_next(cli: Cli, redirect: Path, tmp_path: Path) -> None:
    printed = run(cli, redirect, "--map", "ports:1=3", "--map", "ports:2=5", "--maps", "--json").out
    (tmp_path / "maps.json").write_text(printed)
    again = reports(
        run(cli, redirect, "--maps-from", tmp_path / "maps.json", "--map", "ports:1=4", "--maps", "--json")
    )[0]
    assert again["redirect_port"] == 4, "words come after the file"
    assert [entry["value"] for entry in again["maps"]["ports"]["entries"]] == ["04000000", "05000000"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--map", "port:1=3"), "error: the program has no map `port`\nhint: it has ports\n"),
        (("--map", "ports:1"), "error: got `ports:1`, expected `NAME:KEY=VALUE`\n"),
        (("--map", "ports:9=3"), "error: map `ports` does not take the entry (error 7)\n"),
        (("--maps-from", "/nowhere"), "error: `/nowhere`: "),
        (("--tail", "ports:1"), "error: option `--tail`: got `ports:1`, expected `MAP:INDEX=FUNCTION`\n"),
        (("--const", "limit"), "error: option `--const`: got `limit`, expected `NAME=VALUE`\n"),
        (("--const", "limit=1"), "error[constant-choice]: no global variable is named `limit`: the object has none\n"),
        (("--max-entries", "port=1"), "error[size-choice]: no map is named `port`: the object has `ports`"),
        (("--inner", "ports=ports"), "error[inner-choice]: map `ports` is no map of maps: got type 14\n"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(words: tuple[str, ...], complaint: str, cli: Cli, redirect: Path) -> None:
    assert run(cli, redirect, *words, code=2).err.startswith(complaint)


@pytest.mark.parametrize(
    ("program", "words", "verdict"),
    [
        ("tails.c", ("--program", "jumper"), "XDP_TX"),  # entry 0, linked in
        ("tails_by_loader.c", ("--program", "entry"), "XDP_PASS"),  # no entry: the program goes on
        ("tails_by_loader.c", ("--program", "entry", "--tail", "jmp_table:0=handler_a"), "XDP_TX"),
        ("callback.c", (), "XDP_PASS"),
        ("outer.c", (), "XDP_DROP"),  # nothing at index 0
        ("old_maps.c", (), "XDP_PASS"),
        ("wire_types.c", (), "XDP_DROP"),
        ("settings_decide.c", (), "XDP_PASS"),
        ("settings_decide.c", ("--const", "cfg.verdict=3", "--const", "at=15", "--engine", "jit"), "XDP_TX"),
        ("sized_by_loader.c", ("--max-entries", "flows=1", *SIZED, "--inner", "tables:3=first"), "XDP_TX"),
        ("sized_by_loader.c", ("--max-entries", "flows=1", *SIZED, "--inner", "tables=first"), "XDP_DROP"),
    ],
)
def test_what_an_object_links_runs(program: str, words: tuple[str, ...], verdict: str, cli: Cli) -> None:
    assert reports(run(cli, FOLDER / program, *words, "--json"))[0]["verdict"] == verdict


WRITER = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int writer(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data;

	if ((void *)(data + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	data[0] = 0x2a;
	return XDP_TX;
}
"""


def test_an_xdp_program_that_writes_runs_natively_as_a_rewriter(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "writer.c").write_text(WRITER)
    words = (tmp_path / "writer.c", "--engine", "jit", "--json")
    assert reports(run(cli, *words))[0]["packet"][:4] == "2a00", "without a kind it is what it fits"
    assert "runs only what the verifier finds safe" in run(cli, *words, "--kind", "filter", code=1).err
    refused = cli.run("verify", str(words[0]), "--kind", "filter", ok=False).err
    assert "error[packet-readonly]" in refused
    assert "`--kind rewriter`" in refused
    found = reports(run(cli, *words, "--kind", "rewriter"))[0]
    assert (found["verdict"], found["packet"][:4]) == ("XDP_TX", "2a00")


def test_people_get_lines(cli: Cli) -> None:
    first, second = run(cli, FIREWALL, "--packet", TELNET.hex()).out.splitlines()
    assert first.startswith("XDP_DROP (r0 = 1), ")
    assert second == f"packet {TELNET.hex()}"


def test_one_of_several_programs_is_chosen_by_option(cli: Cli) -> None:
    assert "choose with" in run(cli, FOLDER / "several.c", code=2).err
    for words in (("--program", "second"), ("--function", "second"), ("--section", "unibpf/filter")):
        assert reports(run(cli, FOLDER / "several.c", *words, "--json"))[0]["trap"] is None


def test_a_stray_program_is_stopped_by_the_interpreter_and_never_made_native(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "outside.c").write_text(OUTSIDE)
    stopped = reports(run(cli, tmp_path / "outside.c", "--json", code=1))[0]
    assert (stopped["verdict"], stopped["trap"]["kind"]) == ("trap", "fault")
    refused = run(cli, tmp_path / "outside.c", "--engine", "jit", "--json", code=1)
    assert json.loads(refused.out)["rule"] == "refused"
    assert "error: engine `jit` checks nothing and runs only what the verifier finds safe" in refused.err


@pytest.mark.parametrize("defect", ["text-file", "half-of-the-file", "above-the-size-cap"])
def test_bad_input_names_its_rule(defect: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.o").write_bytes(make(defect))
    refused = run(cli, tmp_path / "bad.o", code=2)
    assert (refused.out, refused.err.startswith(f"error[{DEFECTS[defect][0]}]: ")) == ("", True)


def test_what_guests_do_not_offer_has_its_own_exit_code(cli: Cli) -> None:
    assert "extern" in run(cli, FOLDER / "refused" / "extern_symbol.c", code=3).err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--packet", "0g"), "a packet must be an even number of hexadecimal digits, got `0g`"),
        (("--packet", "00" * 3000), "a packet must fit 1664 bytes, got 3000"),
        (("--pcap", "/nowhere"), "`/nowhere` cannot be read: No such file or directory"),
        (("--pcap", FIREWALL), f"`{FIREWALL}`: no capture in the classic format begins with `2f2a2046`"),
    ],
)
def test_a_wrong_call_is_answered_by_what_was_expected(words: tuple[object, ...], sentence: str, cli: Cli) -> None:
    assert run(cli, FIREWALL, *words, code=2).err == f"error: {sentence}\n"


def test_a_missing_runner_is_said_with_what_to_do(cli: Cli, tmp_path: Path) -> None:
    cli.environment = {"UNIBPF_BIN": str(tmp_path)}
    assert "there is no runner at" in run(cli, FOLDER / "pass.c", code=2).err
