"""Every rule that the guest refuses by has a row in one table (guest/control/rules.hpp), and every row is used."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "guest/control/rules.hpp"
CDDL = ROOT / "schemas/control.cddl"

# `Error{"rule", ...}`, a CBOR reader's own rule, and the functions of the bundle decoder that are told one.
LITERALS = (
    re.compile(r'\bError\{\s*"([^"]*)"'),
    re.compile(r'\bReader \w+\{[^"{}]*, "([^"]*)"\}'),
    re.compile(r'\b(?:number_in|number_up_to)\([^"()]*"([^"]*)"'),
    re.compile(r'const char\* rule_? = "([^"]*)"'),
)


def rows() -> dict[str, str]:
    """{key: rule} of the table."""
    return dict(re.findall(r'^    \{"([a-z-]+)", "([a-z-]+)", coap::', TABLE.read_text(), re.MULTILINE))


def literals() -> dict[str, set[Path]]:
    """Each rule in the sources, and the files that name it."""
    found: dict[str, set[Path]] = {}
    for path in sorted((ROOT / "guest").rglob("*.[ch]pp")):
        for literal in LITERALS:
            for rule in literal.findall(path.read_text()):
                found.setdefault(rule, set()).add(path.relative_to(ROOT))
    return found


def test_every_rule_of_the_sources_has_a_row() -> None:
    missing = {rule: sorted(map(str, files)) for rule, files in literals().items() if rule not in rows()}
    assert not missing


def test_every_row_is_used() -> None:
    assert set(rows()) == set(literals())


def test_the_contract_lists_every_rule_that_a_guest_answers_with() -> None:
    text = CDDL.read_text()
    listed = set(re.findall(r"[a-z-]+", text[text.index("; Rules, in the order of the checks:") :]))
    assert set(rows().values()) <= listed
