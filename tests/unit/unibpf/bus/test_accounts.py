"""unibpf.bus.accounts: who shares what with whom."""

from typing import Any

from unibpf import subjects
from unibpf.bus.accounts import account_of, accounts
from unibpf.subjects import CLI, SERVICES

PEOPLE = ("operator", *SERVICES, CLI, "ci", "other")
HOSTS = ("operator", "verifier", "signer", "deployer-a", "reconfigurer-a", "deployer-b", "reconfigurer-b", CLI)
SHARED = {"CORE", "SERVICE-verifier", "SERVICE-signer", "PUSHER-cli"}


def made(*identities: str) -> dict[str, Any]:
    return accounts({one: f"key of {one}" for one in identities})


def imported(account: dict[str, Any], kind: str) -> set[tuple[str, str]]:
    rows = (row[kind] for row in account["imports"] if kind in row)
    return {(row["account"], row["subject"]) for row in rows}


def test_only_the_core_has_streams() -> None:
    assert [name for name, one in made(*PEOPLE).items() if "jetstream" in one] == ["CORE"]


def test_each_pusher_and_each_host_is_apart() -> None:
    assert {account_of(one) for one in PEOPLE} == SHARED | {"HOST-any", "PUSHER-ci", "PUSHER-other"}
    assert {account_of(one) for one in HOSTS} == SHARED | {"HOST-a", "HOST-b"}


def test_a_pusher_shares_its_own_uploads_with_the_core_and_nobody_elses() -> None:
    services = imported(made(*PEOPLE)["PUSHER-ci"], "service")
    assert ("CORE", subjects.upload("ci", "*")) in services
    said = {subject for _, subject in services if subject.startswith("unibpf.v1.program.")}
    assert said == {subjects.upload("ci", "*")}
    assert not {subject for _, subject in services if subject.startswith("$KV.")}


def test_what_an_account_says_is_imported_from_it_under_its_own_subjects_only() -> None:
    heard = imported(made(*PEOPLE)["PUSHER-cli"], "stream")
    assert {s for account, s in heard if account == "PUSHER-ci"} == {subjects.upload("ci", "*"), "unibpf.v1.dead.ci"}
    assert ("HOST-any", subjects.guest_state("running", "*")) in heard


def test_hosts_serve_and_hear_nothing_of_each_other_but_what_guests_should_be() -> None:
    found = made(*HOSTS)["HOST-a"]
    assert {subject for account, subject in imported(found, "stream") if account == "HOST-b"} == {"$KV.unibpf-guests.>"}
    assert not {subject for account, subject in imported(found, "service") if account == "HOST-b"}
