"""unibpf.cli.reports.status: what `status`, `guest list` and `guest show` say, from what was found."""

import pytest

from unibpf.bus.stores.fill import Fill
from unibpf.bus.stores.setup import Condition
from unibpf.cli.reports.status import (
    ELEMENT_HEADINGS,
    GUEST_HEADINGS,
    GuestDescription,
    Status,
    element_row,
    guest_fields,
    guest_row,
    say,
    say_guest,
    status_fields,
    vitals,
)
from unibpf.messages.guests import GuestObserved
from unibpf.messages.status import ElementStatus, GuestStatus, MapStatus

RUNNING = GuestObserved(
    guest="fw1", state="running", audience="edge", host="local", programs={"fw": "firewall"}, pid=7, machine="microvm",
    accel="kvm", control="127.0.0.1:5000", boot_ms=41.5, restarts=1,
)  # fmt: skip
FAILED = GuestObserved(guest="fw2", state="failed", audience="edge", host="local", reason="network: got `x`")
COUNTS = MapStatus(name="hits", type=2, key_size=4, value_size=8, max_entries=8, entries=3)
ELEMENT = ElementStatus(
    name="fw", class_name="BPFFilter", program="firewall", sequence=17, engine="interpreter", isolation="pku",
    packets=100, drops={"filtered": 4, "aborted": 0}, maps=[COUNTS],
)  # fmt: skip
GUEST = GuestStatus(
    guest="fw1", boot_nonce="00", uptime_ns=2_500_000_000, audience="edge", elements=[ELEMENT], nics=[],
    memory_total=8 << 20, memory_used=3 << 20, memory_peak=4 << 20, graph="fw1", graph_sequence=1, graph_digest="0" * 64,
    longest_gap_ns=1_250_000,
)  # fmt: skip


def test_a_service_answers_or_is_silent_and_its_pid_is_told_where_it_is_known() -> None:
    status = Status(
        state="/s",
        bus=True,
        url="nats://x",
        pids={"nats": 1, "signer": 2},
        services={"signer": True, "verifier": False},
    )
    assert status_fields(status) == {
        "state": "/s", "bus": "nats://x", "nats": "runs     pid 1", "signer": "answers  pid 2", "verifier": "silent",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (Condition(), "ready"),
        (Condition(missing=["KV_x"]), "stream KV_x is missing"),
        (Condition(fills=[Fill(stream="A", used=0.95, by="bytes", is_alarm=True)]), "stream A is 95% full (bytes)"),
        (Condition(fills=[Fill(stream="T", used=1.0, by="bytes", is_alarm=False)]), "ready"),
    ],
)
def test_stores_are_ready_or_say_what_they_lack(condition: Condition, said: str) -> None:
    fields = status_fields(Status(state="/s", bus=True, stores=condition))
    assert (fields["stores"], fields["dead letters"]) == (said, "0")


def test_a_bus_that_is_away_is_told_with_the_reason() -> None:
    fields = status_fields(Status(state="/s", bus=False, problem="no NATS server answers"))
    assert fields["bus"] == "not reached: no NATS server answers"


def test_a_guest_is_one_row_with_what_is_known() -> None:
    assert dict(zip(GUEST_HEADINGS, guest_row(RUNNING), strict=True)) == {
        "guest": "fw1", "state": "running", "audience": "edge", "machine": "microvm/kvm", "boot ms": 41.5, "restarts": 1,
        "programs": "fw=firewall", "reason": "",
    }  # fmt: skip
    assert guest_row(FAILED) == ("fw2", "failed", "edge", "-", "-", 0, "-", "network: got `x`")


def test_fields_without_a_value_are_left_out() -> None:
    assert guest_fields(RUNNING)["boot"] == "41.5 ms"
    assert set(guest_fields(RUNNING)) - set(guest_fields(FAILED)) == {"pid", "boot", "restarts", "control"}
    assert guest_fields(FAILED)["reason"] == "network: got `x`"


def test_an_element_shows_its_program_its_real_drops_and_how_full_its_maps_are() -> None:
    assert dict(zip(ELEMENT_HEADINGS, element_row(ELEMENT), strict=True)) == {
        "element": "fw", "class": "BPFFilter", "program": "firewall", "sequence": 17, "engine": "interpreter",
        "isolation": "pku", "packets": 100, "drops": "filtered=4", "maps": "hits:3/8",
    }  # fmt: skip
    bare = ElementStatus(name="c", class_name="Counter")
    assert element_row(bare) == ("c", "Counter", "-", "-", "-", "-", 0, "-", "")


def test_the_vitals_are_in_units_for_people() -> None:
    assert vitals(GUEST) == "up 2.5 s, memory 3072 of 8192 KiB (peak 4096), longest gap between two batches 1.25 ms"


def test_status_prints_services_before_guests(capsys: pytest.CaptureFixture[str]) -> None:
    say(Status(state="/s", bus=True, services={"verifier": True}, guests=[RUNNING, FAILED]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line] == ["state", "bus", "verifier", "guest", "fw1", "fw2"]


@pytest.mark.parametrize(
    ("found", "last"),
    [
        (GuestDescription(desired=None, observed=None), "no deployer has taken it"),
        (GuestDescription(desired=None, observed=FAILED), "the guest did not answer: it does not run"),
        (GuestDescription(desired=None, observed=RUNNING, problem="503"), "the guest did not answer: 503"),
        (GuestDescription(desired=None, observed=RUNNING, guest=GUEST), "filtered=4  hits:3/8"),
    ],
)
def test_a_guest_that_cannot_be_asked_is_told_apart(
    found: GuestDescription, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_guest(found)
    assert last in capsys.readouterr().out.splitlines()[-1]
