"""unibpf.authority.judge: who may say what, and what is fresh."""

from pathlib import Path

import pytest

from unibpf import subjects
from unibpf.authority.judge import WINDOW_US, Judge, NoAuthority, Said, check_host
from unibpf.authority.ring import Ring
from unibpf.authority.signing import signed
from unibpf.authority.statement import HEADER
from unibpf.host import identity

NOW = 2_000_000_000_000_000


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def judge(tmp_path: Path, clock: Clock) -> Judge:
    return Judge(Ring(tmp_path / "ring"), now_us=clock)


def say(folder: Path, name: str, subject: str, data: bytes = b"{}", **headers: str) -> dict[str, str]:
    """Signed by somebody whose public key the host has."""
    key = identity.create(folder / "ring", name)
    return signed(key, subject, data, {one.replace("_", "-"): value for one, value in headers.items()})


def said(**fields: object) -> Said:
    return Said(**{"identity": "cli", "role": "cli", "host": None, "at_us": NOW, "nonce": "0" * 32, **fields})  # type: ignore[arg-type]


def refused(rule: str) -> "pytest.RaisesExc[NoAuthority]":
    return pytest.raises(NoAuthority, check=lambda error: error.rule == rule)


def test_who_may_say_it_and_signed_it_is_known(judge: Judge, tmp_path: Path) -> None:
    row, subject = subjects.guest_apply, subjects.guest_apply("fw1")
    found = judge.said_row(row, subject, b"{}", say(tmp_path, "cli", subject))
    assert (found.identity, found.role, found.host) == ("cli", "cli", None)


@pytest.mark.parametrize("value", ["", "1", "2 cli 1 " + "0" * 32 + " " + "A" * 86 + "==", "x" * 1000, "1 cli 1\n"])
def test_without_a_readable_signature_it_is_unsigned(judge: Judge, value: str) -> None:
    subject = subjects.guest_apply("fw1")
    for headers in ({}, {HEADER: value}):
        with refused("unsigned"):
            judge.said_row(subjects.guest_apply, subject, b"", headers)


def test_nothing_that_is_covered_can_be_changed(judge: Judge, tmp_path: Path) -> None:
    subject = subjects.guest_apply("fw1")
    headers = say(tmp_path, "cli", subject, Unibpf_Element="fw")
    spoilt = (
        (subjects.guest_apply("fw2"), b"{}", headers),
        (subject, b"{ }", headers),
        (subject, b"{}", {**headers, "Unibpf-Element": "nat"}),
        (subject, b"{}", {**headers, "unibpf-more": "x"}),
        (subject, b"{}", {HEADER: headers[HEADER]}),
        (subject, b"{}", {**headers, HEADER: headers[HEADER].replace(" cli ", " ci ")}),
    )
    identity.create(tmp_path / "ring", "ci")
    for one in spoilt:
        with refused("wrong-signer"):
            judge.said_row(subjects.guest_apply, *one)
    assert judge.said_row(subjects.guest_apply, subject, b"{}", {**headers, "traceparent": "anything"})


@pytest.mark.parametrize("row", [row for row in subjects.SUBJECTS if row.authority != "not"], ids=lambda row: row.name)
@pytest.mark.parametrize("name", ["cli", "ci", "verifier", "signer", "deployer-a", "reconfigurer-a", "operator"])
def test_only_the_tables_senders_may_say_a_row(judge: Judge, tmp_path: Path, row: subjects.Subject, name: str) -> None:
    own = {"identity": name, "service": name, "host": "a", "state": row.states[0] if row.states else ""}
    subject = row(*(own.get(one, "x") for one in row.parameters))
    role = {"ci": "pusher", "deployer-a": "deployer", "reconfigurer-a": "reconfigurer"}.get(name, name)
    headers = say(tmp_path, name, subject, b'{"host": "a"}')
    if role in row.senders or subjects.EVERYBODY in row.senders:
        assert judge.said_row(row, subject, b'{"host": "a"}', headers).identity == name
    else:
        with refused("wrong-signer"):
            judge.said_row(row, subject, b'{"host": "a"}', headers)


def test_nobody_speaks_under_anothers_name(judge: Judge, tmp_path: Path) -> None:
    rows = (
        (subjects.upload, subjects.upload("cli", "fw"), "ci"),
        (subjects.service_state, subjects.service_state("ready", "signer"), "verifier"),
        (subjects.dead_letter, subjects.dead_letter("signer"), "ci"),
        (subjects.dead_letter, subjects.dead_letter("reconfigurer-b"), "reconfigurer-a"),
    )
    for row, subject, name in rows:
        with refused("wrong-signer"):
            judge.said_row(row, subject, b"{}", say(tmp_path, name, subject))


def test_a_host_speaks_of_itself_only(judge: Judge, tmp_path: Path) -> None:
    subject = subjects.guest_state("running", "fw1")
    row, data = subjects.guest_state, b'{"host": "b"}'
    with refused("wrong-signer"):
        judge.said_row(row, subject, data, say(tmp_path, "deployer-a", subject, data))
    assert judge.said_row(row, subject, data, say(tmp_path, "deployer-b", subject, data)).host == "b"
    check_host(said(host="b"), b"no message")
    asked = subjects.put_back("b")
    with refused("wrong-signer"):
        judge.said_row(subjects.put_back, asked, b"", say(tmp_path, "deployer-a", asked, b""))


def test_a_key_that_was_taken_away_or_replaced_counts_for_nothing_at_once(judge: Judge, tmp_path: Path) -> None:
    subject = subjects.guest_apply("fw1")
    headers = say(tmp_path, "cli", subject)
    judge.said_row(subjects.guest_apply, subject, b"{}", headers)
    other = identity.create(tmp_path / "elsewhere", "cli")
    public = tmp_path / "ring" / "cli.pub"
    public.unlink()
    with refused("wrong-signer"):
        judge.said_row(subjects.guest_apply, subject, b"{}", headers)
    public.write_text(other.public_key)
    with refused("wrong-signer"):
        judge.said_row(subjects.guest_apply, subject, b"{}", headers)


def test_a_request_is_taken_once_and_only_while_it_is_new(judge: Judge, clock: Clock) -> None:
    clock.now += 1_000_000
    judge.request(said(at_us=NOW + 1))
    with refused("replayed"):
        judge.request(said(at_us=NOW + 1))
    for away in (WINDOW_US + 1, -WINDOW_US - 1):
        with refused("stale"):
            judge.request(said(at_us=clock.now + away, nonce="1" * 32))


def test_a_request_from_before_the_service_listened_is_refused_since_it_may_have_been_heard_by_the_one_before(
    judge: Judge, clock: Clock
) -> None:
    clock.now += 1_000_000
    with refused("stale"):
        judge.request(said(at_us=NOW - 1))


def test_a_redelivery_is_no_replay_and_the_same_message_stored_twice_is(judge: Judge) -> None:
    for _ in range(2):
        judge.delivered(said(), stored_us=NOW, place="EVENTS:7")
    with refused("replayed"):
        judge.delivered(said(), stored_us=NOW, place="EVENTS:8")


def test_a_stored_message_may_wait_for_days_but_was_signed_when_it_was_stored(judge: Judge, clock: Clock) -> None:
    clock.now += 86_400_000_000
    judge.delivered(said(), stored_us=NOW + WINDOW_US, place="EVENTS:7")
    with refused("stale"):
        judge.stored(said(), stored_us=clock.now)


def test_a_command_that_is_kept_is_never_followed_by_an_older_one(judge: Judge, clock: Clock) -> None:
    clock.now += 86_400_000_000
    judge.carried(said(at_us=NOW + 2), "guests.fw1")
    judge.carried(said(at_us=NOW + 2), "guests.fw1")
    judge.carried(said(at_us=NOW + 1), "guests.fw2")
    with refused("stale"):
        judge.carried(said(at_us=NOW + 1), "guests.fw1")
    with refused("stale"):
        judge.carried(said(at_us=clock.now + 2 * WINDOW_US), "guests.fw3")


def test_a_message_that_may_be_signed_is_looked_at_where_the_key_is_known(judge: Judge, tmp_path: Path) -> None:
    subject = subjects.upload("ci", "fw")
    assert not judge.can_tell({})
    assert not judge.can_tell(signed(identity.create(tmp_path / "elsewhere", "ci"), subject, b"", {}))
    assert judge.can_tell(say(tmp_path, "ci", subject))
    assert judge.can_tell({HEADER: "spoilt"})
