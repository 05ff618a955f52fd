"""Objects of Debian's libxdp1 whose values only their loader sets, unmodified in a VM: what `push` sets is what runs.

The dispatcher's configuration is a constant (.rodata): each release brings its own. xdpdump's is a variable (.data), which is
state: a release sets it where there is none yet, and what runs is kept.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.services.cli import StackProcess
from tests.system import firewall

OBJECTS = Path("/usr/lib/x86_64-linux-gnu/bpf")
GUEST = "loader-settings"
PORT = 53


def push_dispatcher(stack: StackProcess, programs: int) -> dict[str, Any]:
    words = ["--program", "dispatcher", "--function", "xdp_dispatcher", "--const", f"conf.num_progs_enabled={programs}"]
    answer: dict[str, Any] = stack.cli.run("push", str(OBJECTS / "xdp-dispatcher.o"), *words, "--wait", "--json").json
    return answer


def push_dump(stack: StackProcess, length: int) -> dict[str, Any]:
    words = [
        "--program",
        "dump",
        "--const",
        f"trace_cfg.capture_snaplen={length}",
        "--const",
        "trace_cfg.capture_prog_index=3",
    ]
    answer: dict[str, Any] = stack.cli.run("push", str(OBJECTS / "xdpdump_xdp.o"), *words, "--wait", "--json").json
    return answer


@pytest.fixture(scope="module")
def guest(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp(GUEST)
    push_dispatcher(stack, 0)
    push_dump(stack, 20)
    with firewall.filtering_guest(stack.cli, folder, GUEST, {"dispatcher": "dispatcher", "dump": "dump"}) as observed:
        yield observed


def passes(observed: dict[str, Any]) -> bool:
    counts = firewall.counts(firewall.traffic(observed, [PORT], rate=500, seconds=0.5))[PORT]
    assert counts["received"] in {0, counts["sent"]}, counts
    return counts["received"] > 0


def settings(stack: StackProcess) -> dict[str, int]:
    found: dict[str, int] = stack.cli.run("map", "get", GUEST, "dump", ".data", "0", "--json").json["entries"][0][
        "fields"
    ]
    return found["trace_cfg"]  # type: ignore[return-value]  # a variable's fields


def test_a_constant_of_the_next_release_holds_from_its_first_packet(stack: StackProcess, guest: dict[str, Any]) -> None:
    assert passes(guest), "no program is called: XDP_PASS"
    first = push_dispatcher(stack, 1)
    assert [event["state"] for event in first["elements"]] == ["active"]
    assert not passes(guest), "a free place returns 31, which is no verdict"
    assert push_dispatcher(stack, 1)["elements"][0]["already"], (
        "the same object with the same constants is no new release"
    )
    assert push_dispatcher(stack, 0)["signed"]["sequence"] > first["signed"]["sequence"]
    assert passes(guest)


def test_a_variable_is_state_which_a_release_sets_where_there_is_none(
    stack: StackProcess, guest: dict[str, Any]
) -> None:
    assert settings(stack) == {"capture_if_ifindex": 0, "capture_snaplen": 20, "capture_prog_index": 3}
    answer = push_dump(stack, 64)
    assert {one["name"]: one["decision"] for one in answer["elements"][0]["maps"]}[".data"] == "kept"
    assert settings(stack)["capture_snaplen"] == 20
    changed = '{"trace_cfg": {"capture_if_ifindex": 0, "capture_snaplen": 64, "capture_prog_index": 3}}'
    stack.cli.run("map", "set", GUEST, "dump", ".data", "0", changed, "--json")
    assert settings(stack)["capture_snaplen"] == 64
