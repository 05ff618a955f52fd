"""What the suite cannot forget: it is made from the table of the bus, and the table has a reason for each exception."""

import pytest

from tests.attacks import ways
from tests.attacks.world import PEOPLE, concrete, receivers, sender_of
from unibpf.bus import topology
from unibpf.subjects import AUDIT, DEAD, SUBJECTS, TRACES, Subject

# What need not be signed, and why that is no harm.
UNSIGNED = {
    "programUpload": "a plain `nats pub` is a push; the account gives the identity, the policy may demand a signature",
    "trace": "spans are no authority: they are drawn, nothing acts on them",
    "verify": "an answer about bytes that the asker sent; nothing is stored or signed",
    "deployerStatus": "reads what the bus shows to the same askers",
    "guestStatus": "reads counters; not a map",
}


def test_every_exception_has_its_reason() -> None:
    assert {row.name for row in SUBJECTS if row.authority != "must"} == set(UNSIGNED)


@pytest.mark.parametrize("row", SUBJECTS, ids=lambda row: row.name)
def test_every_subject_has_a_place_where_somebody_acts_on_it(row: Subject) -> None:
    assert receivers(row) or row.server or row.hears or row.stream in {AUDIT, DEAD, TRACES}


@pytest.mark.parametrize("row", SUBJECTS, ids=lambda row: row.name)
def test_every_subject_is_a_target_of_somebody_and_has_a_sender(row: Subject) -> None:
    said = {target for identity in PEOPLE for target in ways.said_targets(identity)}
    if row.name != "trace":  # which everybody may say
        assert any(row.name == found for found in map(_name_of, said))
    assert concrete(row, sender_of(row)).startswith("unibpf.v1.")


def _name_of(subject: str) -> str:
    found = [row.name for row in SUBJECTS for pattern in row.patterns() if _matches(pattern, subject)]
    return found[0] if found else ""


def _matches(pattern: str, subject: str) -> bool:
    wanted, got = pattern.split("."), subject.split(".")
    return len(wanted) == len(got) and all(one in {"*", word} for one, word in zip(wanted, got, strict=True))


def test_every_bucket_and_every_stream_is_a_target() -> None:
    kept = {target for identity in PEOPLE for target in ways.kept_targets(identity)}
    assert {target.split(".")[1] for target in kept} == {row.name for row in topology.BUCKETS}
    asked = {target for target, _ in ways.api_targets()}
    for config in topology.stream_configs(1):
        assert {verb.format(stream=config.name, consumer="none") for verb in ways.VERBS} <= {
            target.removeprefix("$JS.API.").replace(".verifier", ".none").replace(".deployer", ".none")
            for target in asked
        } | {verb.format(stream=config.name, consumer="none") for verb in ways.VERBS if "{consumer}" in verb}
