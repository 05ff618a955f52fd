"""unibpf.authority.statement: the canonical bytes (schemas/authority.abnf), by golden vectors."""

import json
from pathlib import Path
from typing import Any

import pytest

from unibpf.authority.statement import HEADER, Claim, StatementError, canonical, covered, read
from unibpf.host import identity

VECTORS = json.loads((Path(__file__).parents[4] / "schemas/golden/authority.json").read_text())
CLAIM = Claim(identity="cli", at_us=1, nonce="0" * 32)


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["subject"])
def test_a_golden_statement_has_its_bytes_and_its_signature(row: dict[str, Any]) -> None:
    claim = read(row["authority"])
    signed = canonical(row["subject"], claim, row["payload"].encode(), row["headers"])
    assert signed.hex() == row["signed"]
    assert identity.verify(row["public_key"], signed, claim.signature)
    assert claim.header() == row["authority"]


def test_what_services_read_is_covered_and_nothing_that_the_bus_adds() -> None:
    headers = {"Unibpf-Kind": "filter", HEADER: "1", "traceparent": "t", "Nats-Msg-Id": "i", "KV-Operation": "DEL"}
    assert covered("unibpf.v1.x", headers) == [("Unibpf-Kind", "filter")]
    assert [name for name, _ in covered("$KV.b.k", headers)] == ["KV-Operation", "Unibpf-Kind"]


@pytest.mark.parametrize(
    ("subject", "headers"),
    [("a\nb", {}), ("a", {"Unibpf-Kind": "x\nUnibpf-Element: y"}), ("a", {"Unibpf-\nKind": "x"}), ("a\x00", {})],
)
def test_one_field_cannot_pass_for_two(subject: str, headers: dict[str, str]) -> None:
    with pytest.raises(StatementError, match="control character"):
        canonical(subject, CLAIM, b"", headers)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1 cli 1 " + "0" * 32,
        "1 cli 0 " + "0" * 32 + " " + "A" * 86 + "==",
        "1 CLI 1 " + "0" * 32 + " " + "A" * 86 + "==",
        "1 cli 1 " + "0" * 31 + "G " + "A" * 86 + "==",
        "1 cli 1 " + "0" * 32 + " " + "A" * 86 + "==\n",
        "1  cli 1 " + "0" * 32 + " " + "A" * 86 + "==",
        "1 cli " + "9" * 19 + " " + "0" * 32 + " " + "A" * 86 + "==",
    ],
)
def test_a_header_has_one_form(value: str) -> None:
    with pytest.raises(StatementError, match="malformed"):
        read(value)
