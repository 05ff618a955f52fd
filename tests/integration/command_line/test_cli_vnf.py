"""`unibpf vnf`: the catalogue, a new function that works as it is, entries from settings that a program takes."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
UNIBPF = [sys.executable, "-m", "unibpf.cli"]


def unibpf(*words: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*UNIBPF, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def test_list_and_show_tell_of_each_function() -> None:
    listed = json.loads(unibpf("vnf", "list", "--json").stdout)["functions"]
    folders = {path.parent.name for path in (ROOT / "vnfs").glob("*/guest.toml")}
    assert {one["name"] for one in listed} == folders
    assert "Maglev" in unibpf("vnf", "show", "loadbalancer").stdout


def test_a_misspelt_function_is_told_the_nearest() -> None:
    done = unibpf("vnf", "show", "loadbalancr")
    assert done.returncode == 2
    assert "did you mean `loadbalancer`?" in done.stderr


def test_a_new_function_builds_verifies_and_passes_its_test(tmp_path: Path) -> None:
    assert unibpf("vnf", "new", "mine", "--to", tmp_path).returncode == 0
    command = tmp_path / "unibpf"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m unibpf.cli "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "test_mine.py"]
    done = subprocess.run(test, cwd=tmp_path / "mine", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_a_program_takes_what_fill_says(tmp_path: Path) -> None:
    entries = tmp_path / "entries.json"
    entries.write_text(unibpf("vnf", "fill", "firewall", "vnfs/firewall/rules.toml").stdout)
    frame = bytes(12) + bytes.fromhex("08004500001c00000000401100000a000007c6336401") + bytes(8)
    run = ("run", "vnfs/firewall/stateful.c", "--packet", frame.hex(), "--json")
    reports = [json.loads(line) for line in unibpf(*run, "--maps-from", entries).stdout.splitlines()]
    assert reports[0]["verdict"] == "XDP_PASS"
    one = json.loads(unibpf("vnf", "fill", "firewall", "vnfs/firewall/rules.toml", "--map", "config").stdout)
    assert one == json.loads(entries.read_text())["config"]


def test_settings_that_are_wrong_are_told_with_file_and_place(tmp_path: Path) -> None:
    settings = tmp_path / "rules.toml"
    settings.write_text('[[rule]]\naction = "reject"\n')
    done = unibpf("vnf", "fill", "firewall", settings)
    assert done.returncode == 2
    assert "rules.toml" in done.stderr and "rule[0]: `action` is 'reject'" in done.stderr
