"""The guest's decoder takes and refuses the golden bundles of schemas/golden as the host's does."""

import subprocess
from pathlib import Path

import pytest

from tests.support.signing.golden import blocks

CASES = blocks("bundle")
# A bundle is behind a signature when the guest reads it: what the host calls its shape is the guest's program interface.
GUEST_RULES = {"shape": {"abi"}, "abi": {"abi"}, "limits": {"limits", "abi"}, "size": {"limits"}}
# Decodes, but calls none of the helpers that it declares: a codec vector, no program.
NOT_A_PROGRAM = "everything"


@pytest.mark.parametrize("name", CASES)
def test_guest_and_host_agree_on_a_golden_bundle(name: str, bin_directory: Path) -> None:
    data = bytes.fromhex(CASES[name]["bundle"])
    done = subprocess.run([bin_directory / "unibpf-run", "-"], input=data, capture_output=True, check=False)
    error = done.stderr.decode()
    if name == NOT_A_PROGRAM:
        assert error.startswith("error[helper]: a declared helper is never called")
    elif name.startswith("refused-"):
        assert done.returncode == 1
        assert error.removeprefix("error[").partition("]")[0] in GUEST_RULES[CASES[name]["rule"]]
    else:
        assert (done.returncode, error) == (0, "")
