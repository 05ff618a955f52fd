"""Situations that operators describe, from the first push to what they see: a real stack, a guest, the command line."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.services.cli import Cli, StackProcess, eventually
from tests.support.services.promises import promise
from tests.system import firewall

PROLOGUE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char _license[] SEC("license") = "GPL";
#define LPM(NAME, KEY) struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 64); \\
    __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct KEY); __type(value, __u32); } NAME SEC(".maps")
struct four { __u32 len; __u32 addr; };
struct six { __u32 len; __u8 addr[16]; };
struct flow { __be32 src, dst; __be16 sport, dport; __u8 proto; } __attribute__((packed));
"""
FIRST = """
struct state { __u64 packets, bytes; };
LPM(closed, four);
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 64); __type(key, struct flow); __type(value, struct state); }
    flows SEC(".maps");
SEC("xdp") int first(struct xdp_md *ctx) {
    struct flow f = {}; struct four k = {32, 1};
    return bpf_map_lookup_elem(&flows, &f) && bpf_map_lookup_elem(&closed, &k) ? XDP_DROP : XDP_PASS;
}
"""
OTHER_LAYOUT = FIRST.replace("LPM(closed, four)", "LPM(closed, six)").replace(
    "struct four k = {32, 1}", "struct six k = {128}"
)
OTHER_LAYOUT = OTHER_LAYOUT.replace("packets, bytes;", "packets, bytes, last;")
FLOW = {"src": "10.0.0.1", "dst": "10.0.0.2", "sport": 53, "dport": 8080, "proto": 17}


def source(folder: Path, name: str, text: str) -> str:
    file = folder / f"{name}.c"
    file.write_text(PROLOGUE + text)
    return str(file)


class Situation:
    """One guest of the program `field`."""

    def __init__(self, cli: Cli, folder: Path, guest: str) -> None:
        self.cli, self.folder, self.guest = cli, folder, guest
        self.program = guest

    def push(self, name: str, text: str, *words: str, ok: bool = True) -> Any:
        file = source(self.folder, name, text)
        return self.cli.run("push", file, "--program", self.program, "--wait", "--json", *words, ok=ok)

    def map(self, command: str, *words: str, ok: bool = True) -> Any:
        name, *others = words
        return self.cli.run("map", command, self.guest, "fw", name, *others, "--json", ok=ok)

    def sequence(self) -> int:
        found: int = firewall.element(self.cli, self.guest)["sequence"]
        return found


@pytest.fixture
def field(cli: Cli, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Situation]:
    name = "field-" + request.node.name.split("[")[0].removeprefix("test_")[:20].replace("_", "-").strip("-")
    made = Situation(cli, tmp_path, name)
    made.push("first", FIRST)
    with firewall.filtering_guest(cli, tmp_path, name, {"fw": name}):
        yield made


def test_keys_are_written_and_shown_by_what_they_mean(field: Situation) -> None:
    field.map("set", "closed", "10.0.0.0/8", "1")
    field.map("set", "closed", "192.168.1.1", "2")
    field.map("set", "flows", json.dumps(FLOW), '{"packets": 7}')
    shown = {one["key_fields"]: one["fields"] for one in field.map("dump", "closed").json["entries"]}
    assert shown == {"10.0.0.0/8": 1, "192.168.1.1/32": 2}
    assert field.map("get", "flows", json.dumps(FLOW)).json["entries"][0]["key_fields"] == FLOW
    assert "10.0.0.0/8" in field.cli.run("map", "dump", field.guest, "fw", "closed").out

    dumped = field.map("dump", "closed").out
    (field.folder / "entries.json").write_text(dumped)
    field.map("delete", "closed", "10.0.0.0/8", "192.168.1.1/32")
    assert promise_of(field.map("get", "closed", "10.0.0.0/8", ok=False))["rule"] == "no-entry"
    field.map("set", "closed", "--file", str(field.folder / "entries.json"))
    assert len(field.map("dump", "closed").json["entries"]) == 2
    assert promise_of(field.map("set", "closed", "fd00::/8", "1", ok=False))["rule"] == "words"
    assert "`dport`" in promise_of(field.map("get", "flows", '{"src": "10.0.0.1"}', ok=False))["error"]


def promise_of(answer: Any) -> dict[str, Any]:
    return promise(answer.code, answer.out, answer.err)


def test_a_map_of_another_layout_is_named_and_can_be_begun_anew(field: Situation) -> None:
    field.map("set", "closed", "10.0.0.0/8", "1")
    before = field.sequence()
    refused = promise_of(field.push("second", OTHER_LAYOUT, ok=False))
    assert (refused["exit_code"], refused["rule"]) == (1, "map-policy")
    assert "map `closed`: key of 8 bytes" in refused["error"] and "map `flows`: value of 16 bytes" in refused["error"]
    assert "--map closed=reset" in refused["hint"] and "--map flows=reset" in refused["hint"]
    assert field.sequence() == before and len(field.map("dump", "closed").json["entries"]) == 1

    done = field.push("second", OTHER_LAYOUT, "--map", "closed=reset", "--map", "flows=reset").json
    assert {one["name"]: one["decision"] for one in done["elements"][0]["maps"]} == {
        "closed": "reset",
        "flows": "reset",
    }
    assert field.map("dump", "closed").json["entries"] == []


def test_a_map_that_is_to_be_emptied_is_so_each_time_and_one_that_is_not_there_is_named(field: Situation) -> None:
    for _ in range(2):
        field.map("set", "closed", "10.0.0.0/8", "1")
        field.push("first", FIRST, "--map", "closed=reset")
        assert field.map("dump", "closed").json["entries"] == []
    unknown = promise_of(field.push("first", FIRST, "--map", "close=reset", ok=False))
    assert "no map `close`" in unknown["error"] and "`closed`" in unknown["error"]
    assert promise_of(field.push("first", FIRST, "--map", "closed=away", ok=False))["exit_code"] == 2


def test_what_was_refused_is_no_obstacle_to_the_program_before(field: Situation) -> None:
    assert field.push("second", OTHER_LAYOUT, ok=False).code == 1
    again = field.push("first", FIRST).json
    assert again["elements"][0]["state"] == "active" and field.sequence() == again["signed"]["sequence"]


def test_a_roll_back_outlives_a_reboot_of_the_guest(field: Situation, stack: StackProcess) -> None:
    good = field.sequence()
    assert field.map("set", "flows", json.dumps(FLOW), '{"packets": 7}', "--keep").json["kept"] == 1
    bad = field.push("second", FIRST.replace("{32, 1}", "{32, 2}"), "--settle").json
    assert bad["stage"] == "settled" and field.sequence() == bad["signed"]["sequence"]
    back = field.cli.run("rollback", f"{field.guest}/fw", "--json").json
    assert back["elements"][0]["sequence"] == good == field.sequence()
    assert field.cli.run("rollback", field.guest, "--json").json["elements"][0]["already"]

    shown = field.cli.run("guest", "show", field.guest, "--json").json
    (row,) = shown["releases"]
    assert (row["running"], row["newest"]) == (good, bad["signed"]["sequence"]) and "rolled back" in row["why"]

    os.kill(shown["observed"]["pid"], signal.SIGKILL)
    eventually(lambda: firewall.show(field.cli, field.guest)["observed"]["restarts"] >= 1, what="a reboot", seconds=60)
    eventually(lambda: firewall.show(field.cli, field.guest)["guest"] is not None, what="an answer", seconds=60)
    time.sleep(3)  # a comparison or two
    assert field.sequence() == good
    assert field.map("dump", "flows").json["entries"][0]["fields"] == {"packets": 7, "bytes": 0}, "it was kept"

    again = field.push("second", FIRST.replace("{32, 1}", "{32, 2}")).json
    assert again["signed"]["sequence"] == field.sequence() > bad["signed"]["sequence"], "the same bytes, tried again"
    mended = field.push("third", FIRST.replace("{32, 1}", "{32, 3}")).json
    assert field.sequence() == mended["signed"]["sequence"]


def test_a_guest_file_with_a_typo_is_refused_before_anything_is_asked_for(cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(firewall.FOLDER, tmp_path / "fw")
    file = tmp_path / "fw/guest.toml"
    file.write_text(file.read_text().replace("memory_mib", "memory_mb"))
    said = promise_of(cli.run("guest", "apply", str(file), "--name", "typo-1", "--json", ok=False))
    assert said["rule"] == "guest-file" and "`memory_mib`" in said["error"]
    assert promise_of(cli.run("guest", "show", "typo-1", "--json", ok=False))["rule"] == "not-found"
    assert promise_of(cli.run("guest", "delete", "typo-1", "--json", ok=False))["rule"] == "not-found"
