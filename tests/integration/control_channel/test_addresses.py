"""The way to a guest on a host with link-local IPv6 and no IPv4 but loopback: in a network namespace made like that."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
NETWORK = "ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up"
LINK_LOCAL = "for i in $(seq 100); do ip -6 -o addr show scope link | grep -qv tentative && break; sleep 0.1; done"


def test_a_numeric_address_needs_no_other_address_of_the_host() -> None:
    ask = f"{sys.executable} {Path(__file__).with_name('ask_loopback.py')}"
    script = f"{NETWORK}; {LINK_LOCAL}; ip -6 -o addr show scope link; exec {ask}"
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "fe80::" in done.stdout, "the namespace is not the one that this is about"
    assert done.stdout.splitlines()[-1:] == ["2.04 2.04 2.04"], done.stderr
