"""xdp-filter's objects, as Debian ships them, in a VM: rules set while packets flow, statistics read back, the how-to page.

What each policy has to do is said in xdp-filter(8): `allow` passes what no rule matches, `deny` drops it.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import transcript
from tests.support.services.cli import ROOT, StackProcess
from tests.system import firewall
from unibpf.host.settings import binary_directory

OBJECTS = Path("/usr/lib/x86_64-linux-gnu/bpf")
HOWTO = ROOT / "docs/howto-xdp-filter.md"
GUEST = "xdp-filter-9"
PROGRAM = "xdp-filter-test"
SOURCE, DESTINATION, UDP = 1, 2, 8
DROP, PASS = "1", "2"
CLOSED, OPEN = 53, 80


@pytest.fixture(scope="module")
def guest(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("xdp-filter")
    push(stack, "alw")
    with firewall.filtering_guest(stack.cli, folder, GUEST, {"filter": PROGRAM}) as observed:
        yield observed


def push(stack: StackProcess, policy: str) -> None:
    stack.cli.run("push", str(OBJECTS / f"xdpfilt_{policy}_all.o"), "--program", PROGRAM, "--wait", "--json")


def rules(stack: StackProcess, command: str, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = stack.cli.run("map", command, GUEST, "filter", *words, "--json").json
    return answer


def port_key(port: int) -> str:
    """An index that is the port in network order."""
    return f"hex:{port:04x}0000"


def statistics(stack: StackProcess) -> dict[str, dict[str, int]]:
    """By the number of the verdict."""
    dumped = rules(stack, "dump", "xdp_stats_map")
    return {str(int.from_bytes(bytes.fromhex(one["key"]), "little")): one["fields"] for one in dumped["entries"]}


def forget_rules(stack: StackProcess) -> None:
    for name in ("filter_ipv4", "filter_ports"):
        for one in rules(stack, "dump", name, "--nonzero")["entries"]:
            words = (
                ["set", name, f"hex:{one['key']}", "0"]
                if name == "filter_ports"
                else ["delete", name, f"hex:{one['key']}"]
            )
            rules(stack, *words)


def passed(observed: dict[str, Any], ports: list[int]) -> dict[int, bool]:
    """Which ports' packets all pass; those that do not are all dropped."""
    counts = firewall.counts(firewall.traffic(observed, ports, rate=1000, seconds=0.5))
    assert all(one["received"] in {0, one["sent"]} for one in counts.values()), counts
    return {port: one["received"] > 0 for port, one in counts.items()}


def test_a_port_is_closed_while_packets_flow_and_no_other_packet_is_lost(
    stack: StackProcess, guest: dict[str, Any]
) -> None:
    before = statistics(stack)
    generator = firewall.traffic(guest, [CLOSED, OPEN], rate=2000, seconds=60.0)
    time.sleep(0.5)
    assert rules(stack, "set", "filter_ports", port_key(CLOSED), str(DESTINATION | UDP))["applied"] == 1
    time.sleep(0.5)
    generator.terminate()
    counts = firewall.counts(generator)
    closed, opened = counts[CLOSED], counts[OPEN]
    assert (opened["lost"], closed["changes"]) == (0, 1), counts
    assert 0 < closed["received"] < closed["sent"]

    after = statistics(stack)
    assert after[DROP]["packets"] - before[DROP]["packets"] == closed["lost"]
    assert after[PASS]["packets"] - before[PASS]["packets"] == closed["received"] + opened["received"]
    rule = rules(stack, "get", "filter_ports", port_key(CLOSED))["entries"][0]["fields"]
    assert (rule & 63, rule >> 6) == (DESTINATION | UDP, closed["lost"])
    forget_rules(stack)


def test_with_policy_allow_an_address_that_is_denied_is_dropped_until_the_rule_goes(
    stack: StackProcess, guest: dict[str, Any]
) -> None:
    assert passed(guest, [OPEN]) == {OPEN: True}
    rules(stack, "set", "filter_ipv4", "10.0.0.2", str(SOURCE))
    assert passed(guest, [OPEN]) == {OPEN: False}
    rules(stack, "delete", "filter_ipv4", "10.0.0.2")
    assert passed(guest, [OPEN]) == {OPEN: True}


def test_with_policy_deny_only_what_a_rule_names_passes_and_the_rules_of_before_are_kept(
    stack: StackProcess, guest: dict[str, Any]
) -> None:
    rules(stack, "set", "filter_ports", port_key(CLOSED), str(DESTINATION | UDP))
    assert passed(guest, [CLOSED, OPEN]) == {CLOSED: False, OPEN: True}
    push(stack, "dny")
    assert passed(guest, [CLOSED, OPEN]) == {CLOSED: True, OPEN: False}
    rules(stack, "set", "filter_ipv4", "10.0.0.2", str(SOURCE))
    assert passed(guest, [CLOSED, OPEN]) == {CLOSED: True, OPEN: True}
    forget_rules(stack)
    assert passed(guest, [CLOSED, OPEN]) == {CLOSED: False, OPEN: False}
    push(stack, "alw")


def test_thousands_of_rules_come_from_a_file_and_a_dump_is_such_a_file(
    stack: StackProcess, guest: dict[str, Any], tmp_path: Path
) -> None:
    entries = [{"key": f"10.1.{n >> 8}.{n & 255}", "value": SOURCE} for n in range(9000)]
    file = tmp_path / "rules.json"
    file.write_text(str(entries).replace("'", '"'))
    done = rules(stack, "set", "filter_ipv4", "--file", str(file))
    assert (done["applied"], done["entries"], done["failed"]) == (9000, 9000, None)
    dumped = stack.cli.run("map", "dump", GUEST, "filter", "filter_ipv4", "--json")
    assert len(dumped.json["entries"]) == 9000
    file.write_text(dumped.out)
    assert rules(stack, "set", "filter_ipv4", "--file", str(file), "--mode", "replace")["applied"] == 9000

    more = [{"key": f"10.2.{n >> 8}.{n & 255}", "value": SOURCE} for n in range(2000)]
    file.write_text(str(more).replace("'", '"'))
    full = stack.cli.run("map", "set", GUEST, "filter", "filter_ipv4", "--file", str(file), "--json", ok=False)
    assert (full.code, full.json["applied"], full.json["errno_name"]) == (1, 1000, "E2BIG")
    gone = [{"key": one["key"], "value": None} for one in rules(stack, "dump", "filter_ipv4")["entries"]]
    file.write_text(str(gone).replace("'", '"').replace("None", "null"))
    assert rules(stack, "set", "filter_ipv4", "--file", str(file))["entries"] == 0


def test_a_wrong_call_is_refused_before_anything_is_sent(stack: StackProcess, guest: dict[str, Any]) -> None:
    for words, code in (
        (("set", GUEST, "filter", "filter_ipv4", "10.0.0.2"), 2),
        (("set", GUEST, "filter", "filter_ipv4", "fd00::1", "1"), 2),
        (("set", GUEST, "filter", "filter_ipv4", "10.0.0.2", '{"x": 1}'), 2),
        (("set", GUEST, "filter", "other", "10.0.0.2", "1"), 2),
        (("set", GUEST, "other", "filter_ipv4", "10.0.0.2", "1"), 2),
        (("get", "nobody", "filter", "filter_ipv4", "10.0.0.2"), 2),
        (("get", GUEST, "filter", "filter_ipv4", "10.0.0.99"), 1),
        (("delete", GUEST, "filter", "filter_ipv4", "10.0.0.99"), 1),
        (("set", GUEST, "filter", "filter_ipv4", "10.0.0.99", "1", "--mode", "replace"), 1),
    ):
        answer = stack.cli.run("map", *words, ok=False)
        assert answer.code == code, (words, answer.err)
        assert answer.code == 1 or "hint: " in answer.err or "expected" in answer.err, answer.err
    assert rules(stack, "dump", "filter_ipv4")["entries"] == []


def test_one_trace_holds_the_change_from_the_command_to_the_guest(stack: StackProcess, guest: dict[str, Any]) -> None:
    answer = stack.cli.run("map", "set", GUEST, "filter", "filter_ports", port_key(1), "0")
    trace = answer.err.split(" trace ")[1].split()[0]
    spans = stack.cli.run("trace", trace, "--json").json["spans"]
    assert {("change map", "reconfigurer"), ("apply", f"guest/{GUEST}")} <= {
        (one["name"], one["service"]) for one in spans
    }


def test_the_session_of_the_how_to_page_is_what_a_user_sees(stack: StackProcess, tmp_path: Path) -> None:
    steps = transcript.read(HOWTO.read_text())
    shutil.rmtree(tmp_path / "work", ignore_errors=True)
    (tmp_path / "work").mkdir()
    tools = {
        "unibpf": f"{sys.executable} -m unibpf.cli",
        "unibpf-pktgen": str(binary_directory(os.environ) / "unibpf-pktgen"),
    }
    prelude = "\n".join(f'{name}() {{ {command} "$@"; }}' for name, command in tools.items())
    environment = {**stack.cli.environ(), "UNIBPF_STATE": str(stack.cli.state)}
    printed = transcript.run(steps, folder=tmp_path / "work", environment=environment, prelude=prelude)
    assert len(printed) == len(steps)
    for step, lines in zip(steps, printed, strict=True):
        if step.command == "traffic":
            assert lines == step.printed, step.command
        assert transcript.shape("\n".join(lines)) == transcript.shape("\n".join(step.printed)), step.command
