"""unibpf.authority.roles: what a name says."""

import pytest

from unibpf.authority.roles import host_of, of_host, role_of


@pytest.mark.parametrize(
    ("identity", "role", "host"),
    [
        ("verifier", "verifier", None),
        ("deployer", "deployer", None),
        ("deployer-a", "deployer", "a"),
        ("reconfigurer-rack-3", "reconfigurer", "rack-3"),
        ("deployer-", "pusher", None),
        ("verifier-a", "pusher", None),
        ("operator-a", "pusher", None),
        ("cli", "cli", None),
        ("ci", "pusher", None),
        ("ci-deployer-a", "pusher", None),
    ],
)
def test_a_name_says_its_role_and_its_host(identity: str, role: str, host: str | None) -> None:
    assert (role_of(identity), host_of(identity)) == (role, host)


def test_a_name_made_for_a_host_is_read_back() -> None:
    assert host_of(of_host("deployer", "edge-1")) == "edge-1"
