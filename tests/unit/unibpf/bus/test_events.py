"""unibpf.bus.events: CloudEvents attributes of a subject."""

from datetime import UTC, datetime

import pytest

from unibpf import subjects
from unibpf.bus.events import event_headers, event_subject, event_type


@pytest.mark.parametrize(
    ("subject", "kind", "about"),
    [
        (subjects.upload("ci", "firewall"), "unibpf.v1.program.upload", "ci.firewall"),
        (subjects.verified("firewall"), "unibpf.v1.program.verified", "firewall"),
        (subjects.element("active", "fw1", "fw"), "unibpf.v1.element.active", "fw1.fw"),
        (subjects.trace("0" * 32), "unibpf.v1.trace", "0" * 32),
        (subjects.audit("firewall"), "unibpf.v1.audit", "firewall"),
        (subjects.dead_letter("signer"), "unibpf.v1.dead", "signer"),
    ],
)
def test_the_type_is_the_subjects_kind_and_the_subject_what_it_is_about(subject: str, kind: str, about: str) -> None:
    assert (event_type(subject), event_subject(subject)) == (kind, about)


def test_the_required_attributes_are_there_and_escaped() -> None:
    now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    headers = event_headers(subject=subjects.verified("fw"), source="/unibpf/vérifier 1", event_id="7", now=now)
    assert headers == {
        "ce-specversion": "1.0",
        "ce-id": "7",
        "ce-source": "/unibpf/v%C3%A9rifier%201",
        "ce-type": "unibpf.v1.program.verified",
        "ce-subject": "fw",
        "ce-time": "2026-11-23T09:00:00Z",
    }
