"""`unibpf demo`: what README.md and docs/demo.md promise of it."""

import json
from pathlib import Path

import pytest

from tests.support.services.cli import Cli


@pytest.fixture(scope="module")
def demo(short_folder: Path) -> dict:
    output = short_folder / "demo.json"
    answer = Cli(short_folder / "unused").run("demo", "--json", "--output", str(output), timeout=120)
    written = json.loads(output.read_text())
    assert answer.json == written
    return written


def test_a_real_vm_boots_within_its_time(demo: dict) -> None:
    assert demo["guest"]["machine"] == "microvm"
    assert demo["guest"]["accel"] in {"kvm", "tcg"}
    assert demo["guest"]["boot_ms"] > 0


def test_the_update_loses_no_packet_and_no_map_entry(demo: dict) -> None:
    update = demo["update"]
    assert update["packets_sent"] > 20_000
    assert update["packets_lost"] == 0
    assert update["map_entries_before"] == update["map_entries_kept"] > 0
    assert all(update["hits_after"][rule] >= hits for rule, hits in update["hits_before"].items())


def test_each_bad_update_is_refused_by_the_right_part_for_the_right_reason(demo: dict) -> None:
    refused = {row["what"]: (row["by"], row["rule"]) for row in demo["refused"]}
    assert refused == {
        "unsafe program": ("verifier", "packet-bounds"),
        "replayed envelope": ("guest", "sequence"),
        "tampered envelope": ("guest", "signature"),
    }


def test_the_trace_names_every_step(demo: dict) -> None:
    services = {span["service"] for span in demo["trace"]["spans"]}
    assert {"cli", "verifier", "signer", "reconfigurer", "guest/firewall-demo"} <= services
