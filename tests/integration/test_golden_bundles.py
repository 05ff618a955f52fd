"""schemas/golden/bundle.txt: the Python codec and the decoder in C++, which the guest and the analyser share, agree on it."""

import json
import runpy
import subprocess
from pathlib import Path

import pytest

from tests.support.signing.golden import FOLDER, blocks
from unibpf.formats.bundle import KINDS, BundleError, decode, encode

CASES = blocks("bundle")
GOOD = [name for name in CASES if not name.startswith("refused-")]
BAD = [name for name in CASES if name.startswith("refused-")]
SCRIPT = runpy.run_path(str(FOLDER / "generate_bundles.py"))


def test_the_file_is_what_its_script_makes() -> None:
    assert (FOLDER / "bundle.txt").read_text() == SCRIPT["text"]()


@pytest.mark.parametrize("name", GOOD)
def test_a_golden_bundle_decodes_to_its_fields_and_back(name: str) -> None:
    case = CASES[name]
    found = decode(bytes.fromhex(case["bundle"]))
    assert encode(found).hex() == case["bundle"]
    assert (found.name, KINDS.index(found.kind), found.code.hex()) == (case["name"], int(case["kind"]), case["code"])
    assert (found.outputs, found.stack) == (int(case["outputs"]), int(case["stack"]))
    assert " ".join(map(str, found.helpers)) == case["helpers"]
    assert [SCRIPT["map_text"](entry) for entry in found.maps] == case["maps"].split()
    assert [f"{row.insn}:{row.file}:{row.line}:{row.column}" for row in found.line_info.lines] == case["lines"].split()


@pytest.mark.parametrize("name", BAD)
def test_a_golden_defect_is_refused_with_its_rule(name: str) -> None:
    with pytest.raises(BundleError) as caught:
        decode(bytes.fromhex(CASES[name]["bundle"]))
    assert caught.value.rule == CASES[name]["rule"]


# Well-formed, with every field set, but it declares helpers that its code does not call: the guest would not load it.
NOT_LOADABLE = {"everything": "malformed"}


@pytest.mark.parametrize("name", GOOD + BAD)
def test_the_analyser_takes_and_refuses_the_same_bytes(name: str, bin_directory: Path) -> None:
    data = bytes.fromhex(CASES[name]["bundle"])
    done = subprocess.run([bin_directory / "unibpf-analyse"], input=data, capture_output=True, check=True)
    rules = [finding["rule"] for finding in json.loads(done.stdout)["findings"]]
    assert rules == (["malformed"] if name in BAD else [NOT_LOADABLE[name]] if name in NOT_LOADABLE else [])
