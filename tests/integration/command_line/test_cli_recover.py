"""`unibpf recover sequence` on a signer's own files."""

import json
import signal
import time

import pytest

from unibpf.cli import app, ending
from unibpf.cli.output import Exit
from unibpf.host.ledger import MAX_AHEAD, Ledger, Row
from unibpf.host.settings import StatePaths

COUNTER = "program.edge.firewall"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """One call in this process, on a state folder of its own."""
    monkeypatch.setenv("UNIBPF_STATE", str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)

    def run(*words):
        words = ("recover", "sequence", "edge", *words, "--json")
        code = ending.end(lambda: app.run(list(words)), words)
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    yield run
    signal.signal(signal.SIGTERM, before)


def signed(tmp_path, sequence):
    """A ledger in which a release of that number was signed."""
    paths = StatePaths(root=tmp_path)
    paths.create()
    now_ms = int(time.time() * 1000)
    ledger = Ledger.open(paths.signer_ledger, now_ms=now_ms)
    row = Row(
        push="U:1", pushed_ms=now_ms, object="", counter=COUNTER, element="*", sequence=sequence, bundle="", policy=""
    )
    ledger.note(row)
    return ledger


def test_a_number_too_far_ahead_is_left_behind_once_somebody_says_yes(call, tmp_path):
    ahead = int(time.time() * 1000) + 2 * MAX_AHEAD
    ledger = signed(tmp_path, ahead)
    code, said = call("firewall")
    assert (code, said["signed"], said["outcome"]) == (0, ahead, "would be recovered: say `--yes`")
    ledger.counters()
    assert ledger.recovered(COUNTER) == 0
    code, said = call("firewall", "--yes")
    assert (code, said["goes_on_from"], said["outcome"]) == (0, ahead, "recovered")
    ledger.counters()
    assert ledger.recovered(COUNTER) == ahead
    assert call("firewall", "--yes")[1]["outcome"] == "nothing to recover"


def test_what_guests_have_seen_counts_where_it_is_more(call, tmp_path):
    signed(tmp_path, 5)
    seen = int(time.time() * 1000) + 2 * MAX_AHEAD
    assert call("firewall", "--at", str(seen), "--yes")[1]["goes_on_from"] == seen


def test_a_program_within_bounds_needs_nothing(call, tmp_path):
    signed(tmp_path, int(time.time() * 1000))
    assert call("firewall", "--yes")[1]["outcome"] == "nothing to recover"
    assert call("firewall", "--graph")[1]["counter"] == "graph.edge.firewall"


def test_where_no_number_is_left_another_name_is_needed(call, tmp_path):
    signed(tmp_path, 1)
    code, said = call("firewall", "--at", str((1 << 63) - 1), "--yes")
    assert (code, said["rule"]) == (Exit.REFUSED, "sequence-ahead")


def test_it_is_for_the_signers_host(call, tmp_path):
    code, said = call("firewall")
    assert (code, said["rule"], "signer's host" in said["hint"]) == (Exit.USAGE, "not-found", True)


def test_a_spoilt_ledger_is_told(call, tmp_path):
    signed(tmp_path, 1)
    with StatePaths(root=tmp_path).signer_ledger.open("ab") as file:
        file.write(b"junk\n")
    code, said = call("firewall")
    assert (code, said["rule"], "spoilt" in said["error"]) == (Exit.USAGE, "file", True)
